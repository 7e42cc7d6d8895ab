// Browses collections and records that a page reads from DynamoDB by itself. Addresses change, pages are not loaded:
// this goes on when the portal has stopped.

import { AwsError, getItem, kindOf, query, sentenceOf } from "./aws-direct.js";
import { collectionCard, count, failure, link, make, recordFacts, recordRow, recordTable } from "./record-nodes.js";

const PAGE_SIZE = 25;
const COLLECTIONS_A_PAGE = 100;
const PLAIN = /^[A-Za-z0-9_:@=+,-][A-Za-z0-9_.:@=+,~-]*$/;

// ── Addresses: as tenants/organisation/record_addresses.py writes them ───────────────────────────────────────────

export function toSegment(key) {
  if (PLAIN.test(key)) return key;
  const bytes = String.fromCharCode(...new TextEncoder().encode(key));
  return `~${btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

/** The key, or "" for a segment that `toSegment` does not write. */
export function fromSegment(segment) {
  try {
    const key = segment.startsWith("~") ? decode(segment.slice(1)) : segment;
    return toSegment(key) === segment ? key : "";
  } catch {
    return "";
  }
}

function decode(text) {
  const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

// ── The reader ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * `spaces` are `{name, prefix, heading, empty}`; `ask(call)` runs `call(aws, credentials)`; `read()` is the place in
 * the page's address, `{space, collection, key}`, and `write(place)` an address. `said` is a live region, and `keys`
 * are the names of the table's two keys.
 */
export function createReader(page) {
  const reader = { ...page, turn: 0, title: document.title };
  page.box.addEventListener("click", (event) => follow(reader, event));
  addEventListener("popstate", () => show(reader));
  return { show: () => show(reader) };
}

function follow(reader, event) {
  const followed = event.target.closest("a[data-in-page]");
  const elsewhere = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!followed || elsewhere) return;
  event.preventDefault();
  history.pushState(null, "", followed.getAttribute("href"));
  show(reader, { focus: true });
}

/** Shows what the address names. An answer that comes after the person has opened something else is dropped. */
async function show(reader, { focus = false } = {}) {
  const turn = ++reader.turn;
  const place = reader.read();
  reader.box.setAttribute("aria-busy", "true");
  reader.said.textContent = "Loading…";
  const nodes = await nodesOf(reader, place).catch((error) => failureNodes(reader, place, error));
  if (turn !== reader.turn) return;
  reader.box.replaceChildren(...nodes);
  reader.box.removeAttribute("aria-busy");
  document.title = [place.key, place.collection, reader.title].filter(Boolean).join(" · ");
  const heading = reader.box.querySelector("[tabindex='-1']");
  reader.said.textContent = (reader.box.querySelector("[data-said]") ?? heading)?.textContent ?? "";
  if (focus) heading?.focus();
}

function nodesOf(reader, place) {
  const space = reader.spaces.find(({ name }) => name === place.space);
  if (space && place.key) return oneRecord(reader, space, place);
  if (space && place.collection) return oneCollection(reader, space, place);
  return allCollections(reader);
}

function failureNodes(reader, place, error) {
  if (!(error instanceof AwsError)) console.error(error);
  if (kindOf(error) === "ended") reader.ended?.(sentenceOf(error));
  const again = make("button", { type: "button", class: "button" }, "Try again");
  again.addEventListener("click", () => show(reader));
  const heading = kindOf(error) === "denied" ? "Refused by AWS" : "Not read";
  const notice = failure(heading, sentenceOf(error), again);
  notice.firstChild.setAttribute("tabindex", "-1");
  return [...crumbs(reader, place), notice];
}

async function allCollections(reader) {
  const parts = await Promise.all(reader.spaces.map((space) => collectionsOf(reader, space)));
  return parts.flat();
}

async function collectionsOf(reader, space) {
  const address = (item) => reader.write({ space: space.name, collection: nameOf(reader, item) });
  const list = make("ul", { class: "cards" });
  const add = (items) => list.append(...items.map((item) => collectionCard(nameOf(reader, item), item, address(item))));
  const heading = make("h3", { tabindex: "-1", class: space.heading ? "" : "unseen" }, space.heading || "Collections");
  const pages = await pagerFor(reader, { pk: `${space.prefix}#`, limit: COLLECTIONS_A_PAGE }, "collection", add);
  if (!list.childElementCount) return [heading, emptyBox(space.empty)];
  return [heading, list, pages];
}

async function oneCollection(reader, space, place) {
  let table = null;
  const holder = make("div");
  const add = (items) => {
    if (!table && items.length) {
      table = recordTable(place.collection, items, reader.keys);
      holder.append(table.box);
    }
    table?.body.append(...items.map((item) => rowOf(reader, place, table, item)));
  };
  const pages = await pagerFor(reader, { pk: `${space.prefix}#${place.collection}`, limit: PAGE_SIZE }, "record", add);
  const nodes = [...crumbs(reader, place), headingOf(place.collection)];
  if (!table) return [...nodes, emptyBox("This collection has no records, or it does not exist.")];
  const hidden = table.hidden ? `${count(table.hidden, "more attribute")} on each record’s own page` : "";
  return [...nodes, holder, pages, make("p", { class: "quiet" }, hidden)];
}

const emptyBox = (text) => make("div", { class: "empty" }, make("p", {}, text));

const nameOf = (reader, item) => item[reader.keys.sort].S;

function rowOf(reader, place, table, item) {
  const key = nameOf(reader, item);
  return recordRow(key, item, table.columns, reader.write({ ...place, key }));
}

async function oneRecord(reader, space, place) {
  const wanted = { table: reader.table, pk: `${space.prefix}#${place.collection}`, sk: place.key };
  const item = await reader.ask((aws, credentials) => getItem(aws, credentials, wanted));
  const body = item ? recordFacts(item, reader.keys) : emptyBox("There is no such record.");
  return [...crumbs(reader, place), headingOf(place.key), body];
}

const headingOf = (text) => make("h3", { tabindex: "-1", dir: "auto" }, text);

function crumbs(reader, { space, collection, key }) {
  if (!collection) return [];
  const here = (text) => make("li", { "aria-current": "page" }, make("bdi", {}, text));
  const steps = [make("li", {}, link(reader.write({}), "Collections"))];
  if (key) steps.push(make("li", {}, link(reader.write({ space, collection }), collection)), here(key));
  else steps.push(here(collection));
  return [make("nav", { class: "crumbs", "aria-label": "Breadcrumbs" }, make("ol", {}, ...steps))];
}

/** Adds the first page, and makes the line below that counts and fetches the next one. */
async function pagerFor(reader, wanted, thing, add) {
  let after = null;
  let shown = 0;
  const fetchPage = async () => {
    const asked = { table: reader.table, ...wanted, after };
    const page = await reader.ask((aws, credentials) => query(aws, credentials, asked));
    add(page.items);
    ({ after } = page);
    shown += page.items.length;
    told.textContent = `${count(shown, thing)}${after ? " so far" : ""}`;
    button.hidden = !after;
  };
  const told = make("p", { class: "quiet", "data-said": true });
  const button = make("button", { type: "button", class: "button" }, `Show more ${thing}s`);
  button.addEventListener("click", () => fetchMore(reader, button, told, fetchPage));
  await fetchPage();
  return make("div", { class: "pager" }, told, button);
}

async function fetchMore(reader, button, told, fetchPage) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  reader.said.textContent = told.textContent = "Loading…";
  try {
    await fetchPage();
  } catch (error) {
    if (kindOf(error) === "ended") reader.ended?.(sentenceOf(error));
    told.textContent = sentenceOf(error);
  }
  button.removeAttribute("aria-disabled");
  reader.said.textContent = told.textContent;
  // The button that had the focus is gone: what it said takes it.
  if (button.hidden) {
    told.setAttribute("tabindex", "-1");
    told.focus();
  }
}
