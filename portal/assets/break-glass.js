// Moves the key of a break-glass link from the address into the form, so that the browser's history does not keep it.
const key = document.getElementById("key");
if (key && location.hash.length > 1) {
  key.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
