// Offers the browser's own time zone beside the list of all of them. The list works without this.
for (const list of document.querySelectorAll("select[data-own-zone]")) {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const own = [...list.options].find((option) => option.text === timeZone);
  if (!own || own.selected) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = `Choose ${timeZone}, as in this browser`;
  button.addEventListener("click", () => {
    own.selected = true;
    button.remove();
    list.focus();
  });
  list.after(button);
}
