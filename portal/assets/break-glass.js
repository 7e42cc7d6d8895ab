// Takes the key of a break-glass link out of the address, where history would keep it, and puts it into the form.
const key = document.getElementById("key");
if (key && location.hash.length > 1) {
  key.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
