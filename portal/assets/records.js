// Three conveniences for records; every page works without them. Ctrl+Enter sends a form from a text of many lines, a
// blank row follows the last one that is filled in, and one box ticks all records of a page.
document.addEventListener("keydown", (event) => {
  const isSent = event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("form textarea");
  if (!isSent) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

const MOST_ROWS = 150;
// Of more records, "All that match" takes a hundred after the other.
const MOST_SELECTED = 100;
const NUMBERED = ["id", "name", "for"];

function addBlankRow(form) {
  const rows = form.querySelectorAll("fieldset.attribute");
  const last = rows[rows.length - 1];
  if (rows.length >= MOST_ROWS || !last.querySelector('[name^="name_"]').value) return;
  const row = last.cloneNode(true);
  row.querySelectorAll("input, textarea").forEach((field) => (field.value = ""));
  for (const element of row.querySelectorAll("*")) {
    for (const name of NUMBERED.filter((one) => element.hasAttribute(one))) {
      element.setAttribute(name, element.getAttribute(name).replace(/_\d+$/, `_${rows.length}`));
    }
  }
  row.classList.remove("wrong");
  row.querySelector(".error")?.remove();
  row.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  row.querySelectorAll("[autofocus]").forEach((field) => field.removeAttribute("autofocus"));
  last.after(row);
}
document.querySelector(".record-form")?.addEventListener("input", (event) => {
  if (event.target.name?.startsWith("name_")) addBlankRow(event.currentTarget);
});

function addBoxForAll() {
  const head = document.querySelector("#rows thead .select");
  const boxes = document.querySelectorAll('#rows tbody [name="chosen"]');
  if (!head || head.querySelector("input") || boxes.length > MOST_SELECTED) return;
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Select all on this page");
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  head.append(all);
}
addBoxForAll();
document.body.addEventListener("htmx:afterSettle", addBoxForAll);
