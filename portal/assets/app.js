// Two conveniences; every page works without them. Adds copy buttons beside texts that people quote elsewhere, and
// tells screen readers the new count after htmx replaced the rows of a table.
function copyByClick(button, text) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
}

function addCopyButtons() {
  for (const text of navigator.clipboard ? document.querySelectorAll("[data-copy]:not([data-copies])") : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    if (text.dataset.copy) button.setAttribute("aria-label", `Copy ${text.dataset.copy}`);
    copyByClick(button, text);
    text.dataset.copies = "";
    text.after(" ", button);
  }
}
addCopyButtons();

for (const button of navigator.clipboard ? document.querySelectorAll("[data-copies-from]") : []) {
  copyByClick(button, document.getElementById(button.dataset.copiesFrom));
  button.hidden = false;
}

document.body.addEventListener("htmx:afterSettle", () => {
  addCopyButtons();
  const status = document.getElementById("announcement");
  const summary = document.querySelector("#rows [data-announce]");
  if (status && summary) status.textContent = summary.textContent;
});
