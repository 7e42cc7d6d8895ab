// Two conveniences; every page works without them. Adds copy buttons beside code that people quote elsewhere, and
// tells screen readers the new count after htmx replaced the rows of a table.
for (const code of navigator.clipboard ? document.querySelectorAll("code[data-copy]") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  code.after(" ", button);
}

document.body.addEventListener("htmx:afterSettle", () => {
  const status = document.getElementById("announcement");
  const summary = document.querySelector("#rows [data-announce]");
  if (status && summary) status.textContent = summary.textContent;
});
