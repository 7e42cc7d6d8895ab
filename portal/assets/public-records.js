// The public pages for a visitor: reads public records with a guest's credentials. The guest's identity is kept by its
// id, which is no secret, so that a second visit makes no second one.

import { guestCredentials, withCredentials } from "./aws-direct.js";
import { exchangeItem } from "./record-nodes.js";
import { createReader, fromSegment, toSegment } from "./record-reader.js";

const box = document.getElementById("public-records");
const config = box.dataset;
const requests = document.getElementById("requests");
const aws = {
  region: config.region,
  dynamodb: config.dynamodb,
  identity: config.identity,
  identityPool: config.identityPool,
  keys: { partition: config.partitionKey, sort: config.sortKey },
  tell: (exchange) => requests.prepend(exchangeItem(exchange)),
};

const NAME = `guest-identity ${config.identityPool}`;
let inMemory = "";
// A browser may refuse to store anything; the page goes on with an identity for this visit.
const attempt = (action) => {
  try {
    return action();
  } catch {
    return null;
  }
};
const kept = {
  read: () => attempt(() => localStorage.getItem(NAME)) || inMemory,
  write: (identityId) => {
    inMemory = identityId;
    attempt(() => localStorage.setItem(NAME, identityId));
  },
  forget: () => {
    inMemory = "";
    attempt(() => localStorage.removeItem(NAME));
  },
};

const holder = guestCredentials(aws, kept);

const read = () => {
  const [collection = "", key = ""] = location.pathname.slice(config.base.length).split("/").map(decodeURIComponent);
  return { space: "public", collection: fromSegment(collection), key: fromSegment(key) };
};

const write = ({ collection, key }) =>
  [config.base, collection && `${toSegment(collection)}/`, key && `${toSegment(key)}/`].filter(Boolean).join("");

createReader({
  box,
  said: document.getElementById("said"),
  table: config.table,
  keys: aws.keys,
  spaces: [{ name: "public", prefix: "PUBLIC", heading: "", empty: "There are no public collections yet." }],
  ask: (call) => withCredentials(holder, (credentials) => call(aws, credentials)),
  read,
  write,
}).show();
