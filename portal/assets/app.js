// Two conveniences; every page works without them. Copy buttons beside code that people quote elsewhere, and a
// spoken count after the rows of a table were replaced.
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
  const said = document.getElementById("said");
  const news = document.querySelector("#rows [data-said]");
  if (said && news) said.textContent = news.textContent;
});
