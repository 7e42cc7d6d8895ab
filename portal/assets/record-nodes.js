// Records as elements of a page. Every text goes in as text, so nothing in a record can become markup.

const TYPE_NAMES = {
  S: "text", N: "number", B: "binary", BOOL: "true or false", NULL: "null", M: "map", L: "list",
  SS: "set of texts", NS: "set of numbers", BS: "set of binaries",
};
const MOST_COLUMNS = 6;
const LONGEST_CELL = 80;

/** An element with attributes and children; a child is an element or a text. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A link that the page follows by itself. */
export const link = (address, text) => make("a", { href: address, "data-in-page": true }, make("bdi", {}, text));

export const fact = (name, ...value) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value));

export const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

// ── Collections ──────────────────────────────────────────────────────────────────────────────────────────────────

export function collectionCard(name, item, address) {
  const described = item.description?.S ?? "";
  return make(
    "li", { class: "card" },
    make("h4", { dir: "auto" }, link(address, name)),
    ...(described ? [make("p", { dir: "auto" }, described)] : []),
  );
}

// ── A collection's records ───────────────────────────────────────────────────────────────────────────────────────

const COLUMN = { scope: "col", role: "columnheader" };

/** The table and its body; the columns are those of the first records. `keys` names the table's two keys. */
export function recordTable(collection, items, keys) {
  const isShown = (name) => !isKey(name, keys) && !isOwn(name);
  const names = new Set(items.flatMap((item) => Object.keys(item)).filter(isShown));
  const columns = [...names].slice(0, MOST_COLUMNS);
  const heads = ["Key", ...columns].map((name) => make("th", COLUMN, make("bdi", {}, name)));
  const body = make("tbody", { role: "rowgroup" });
  const caption = make("caption", { class: "unseen" }, `Records in ${collection}`);
  const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads));
  const table = make("table", { class: "even stacked", role: "table" }, caption, head, body);
  const box = make("div", { class: "sheet" }, table);
  return { box, body, columns, hidden: names.size - columns.length };
}

export function recordRow(key, item, columns, address) {
  const head = make("th", { scope: "row", role: "rowheader" }, link(address, key));
  return make("tr", { role: "row" }, head, ...columns.map((name) => cell(name, item[name])));
}

const isKey = (name, keys) => name === keys.partition || name === keys.sort;
const isOwn = (name) => name.startsWith("_");

/** On a narrow screen the stylesheet shows the label beside the value. */
function cell(name, value) {
  const labelled = { role: "cell", "data-label": name };
  if (!value) return make("td", { ...labelled, class: "absent" }, "–");
  return make("td", { ...labelled, class: value.N === undefined ? false : "number" }, brief(value));
}

/** One line: the text itself, or how many parts there are. */
function brief(value) {
  const [kind, content] = Object.entries(value)[0];
  if (kind === "B") return bytesIn(content);
  if (kind === "M" || typeof content === "object") return `${TYPE_NAMES[kind]}, ${Object.keys(content).length}`;
  const text = kind === "NULL" ? "null" : String(content);
  return text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL - 1)}…` : text;
}

const bytesIn = (base64) => count(atob(base64).length, "byte");

// ── One record ───────────────────────────────────────────────────────────────────────────────────────────────────

/** All of it: keys, then attributes, then the portal's own bookkeeping. */
export function recordFacts(item, keys) {
  const names = Object.keys(item).filter((name) => !isKey(name, keys));
  const sorted = [...names.filter((name) => !isOwn(name)), ...names.filter(isOwn)];
  return make(
    "dl", { class: "facts attributes" },
    fact("Partition key", make("code", {}, item[keys.partition].S)),
    fact("Record key", make("code", {}, item[keys.sort].S)),
    ...sorted.map((name) => fact(make("bdi", {}, name), valueNode(item[name]))),
  );
}

function valueNode(value) {
  const [kind, content] = Object.entries(value)[0];
  if (kind === "M") return partsOf(kind, Object.entries(content));
  if (kind === "L") return partsOf(kind, content.map((part, place) => [String(place), part]));
  if (["SS", "NS", "BS"].includes(kind)) return setOf(kind, content);
  return make("div", { class: "single" }, single(kind, content), badge(kind));
}

function partsOf(kind, parts) {
  const rows = parts.map(([name, part]) => fact(make("bdi", {}, name), valueNode(part)));
  const heading = make("summary", {}, badge(kind), ` ${parts.length}`);
  return make("details", { class: "nested", open: true }, heading, make("dl", {}, ...rows));
}

function setOf(kind, content) {
  const rows = content.map((part) => make("li", {}, single(kind[0], part)));
  return make("div", { class: "nested" }, badge(kind), make("ul", {}, ...rows));
}

function single(kind, content) {
  if (kind === "S" && !content) return make("em", { class: "quiet" }, "empty");
  if (kind === "S") return make("span", { class: "text", dir: "auto" }, content);
  if (kind === "N") return make("span", { class: "number" }, content);
  if (kind === "B") return make("code", {}, content, ` (${bytesIn(content)}, as base64)`);
  return make("span", {}, kind === "NULL" ? "null" : String(content));
}

const badge = (kind) => make("span", { class: "badge" }, TYPE_NAMES[kind]);

// ── Requests and refusals ────────────────────────────────────────────────────────────────────────────────────────

/** One line of the list of requests. */
export function exchangeItem({ method, host, target, asked, tags, status, code, text, milliseconds }) {
  const answer = status ? [String(status), code].filter(Boolean).join(" ") : "no answer";
  const isGood = status > 0 && status < 400;
  const time = make("span", { class: "quiet number" }, `${milliseconds} ms`);
  return make(
    "li", { class: "exchange" },
    make("p", {}, make("b", { class: isGood ? "answered" : "refused" }, answer), " ", time),
    make("p", {}, make("code", {}, `${method} ${host}`), " ", make("code", {}, target)),
    make("p", { class: "quiet" }, "Asked for ", make("code", {}, asked)),
    make("p", { class: "quiet" }, tagsInWords(tags)),
    ...(text ? [make("p", { dir: "ltr" }, text)] : []),
  );
}

function tagsInWords(tags) {
  if (tags === null) return "Not signed";
  const given = Object.entries(tags).filter(([, value]) => value);
  return given.length ? `Signed; tags ${given.map((tag) => tag.join("=")).join(", ")}` : "Signed as a guest; no tags";
}

/** A failure in the place of what was asked for. */
export const failure = (heading, sentence, ...more) =>
  make("div", { class: "notice bad" }, make("h4", {}, heading), make("p", { "data-said": true }, sentence), ...more);
