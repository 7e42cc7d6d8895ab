// The page /direct/: signs in by itself, reads own and public records, and shows what AWS refuses. The verifier and the
// state of a sign-in wait in sessionStorage for Cognito's answer; tokens and credentials are in memory alone.

import {
  AwsError, authorizeAddress, claimsIn, exchangeCode, executeStatement, kindOf, logoutAddress, now, personCredentials,
  query, randomText, revoke, scan, sentenceOf, tryPut, withCredentials,
} from "./aws-direct.js";
import { exchangeItem, fact, failure, make } from "./record-nodes.js";
import { createReader, fromSegment, toSegment } from "./record-reader.js";

const PENDING = "direct.sign-in";
const SIGNED_OUT = "direct.signed-out";
const LOOK_EVERY = 30_000;
const MOST_REQUESTS = 50;

const part = (id) => document.getElementById(id);
const config = part("direct").dataset;
const aws = {
  region: config.region,
  dynamodb: config.dynamodb,
  identity: config.identity,
  domain: config.domain,
  clientId: config.client,
  identityPool: config.identityPool,
  provider: config.provider,
  keys: { partition: config.partitionKey, sort: config.sortKey },
  tell: (exchange) => {
    part("requests").prepend(exchangeItem(exchange));
    while (part("requests").childElementCount > MOST_REQUESTS) part("requests").lastChild.remove();
    part("no-requests").hidden = true;
  },
};

let looking = 0;

// ── Signing in ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Goes to Cognito; with `silently` it answers at once, with a code where it still knows this browser. */
async function goToSignIn({ silently }) {
  const pending = { state: randomText(), verifier: randomText(), hash: location.hash };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const address = await authorizeAddress(aws, { ...pending, redirectUri: config.page, prompt: silently ? "none" : "" });
  // A silent try leaves no entry in the history, or Back would begin it again.
  if (silently) location.replace(address);
  else location.assign(address);
}

/** What Cognito sent back, taken out of the address and out of the storage before anything else. */
function takeAnswer() {
  const answer = Object.fromEntries(new URLSearchParams(location.search));
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "{}");
  sessionStorage.removeItem(PENDING);
  const isAnswer = "code" in answer || "error" in answer;
  const hash = isAnswer ? (pending.hash ?? "") : location.hash;
  if (location.search) history.replaceState(null, "", location.pathname + hash);
  return isAnswer ? { ...answer, pending } : null;
}

async function begin() {
  const answer = takeAnswer();
  if (!answer) {
    const signedOut = sessionStorage.getItem(SIGNED_OUT);
    sessionStorage.removeItem(SIGNED_OUT);
    if (signedOut) return offerSignIn("You have signed out. The page holds no token any more.");
    return goToSignIn({ silently: true });
  }
  const { pending } = answer;
  if (!pending.state || answer.state !== pending.state) {
    return offerSignIn("This answer belongs to no sign-in that was begun here. Sign in again.");
  }
  if (answer.error === "login_required") return offerSignIn("You are not signed in with Cognito in this browser.");
  if (answer.error) return offerSignIn(`Cognito did not sign you in: ${answer.error_description ?? answer.error}.`);
  return start(await exchangeCode(aws, { ...answer, verifier: pending.verifier, redirectUri: config.page }));
}

function offerSignIn(why) {
  clearInterval(looking);
  part("state").textContent = why;
  part("sign-in").hidden = false;
  for (const id of ["sign-out", "carried", "records", "tries"]) part(id).hidden = true;
}

// ── Signed in ────────────────────────────────────────────────────────────────────────────────────────────────────

async function start(tokens) {
  const claims = claimsIn(tokens.idToken);
  const holder = personCredentials(aws, tokens);
  showCarried(await holder.current());
  part("state").textContent = `Signed in as ${claims.name ? `${claims.name}, ${claims.email}` : claims.email}`;
  for (const id of ["sign-out", "carried", "records", "tries"]) part(id).hidden = false;
  part("sign-in").hidden = true;
  // Not only when they are needed: the refresh token ends as well.
  looking = setInterval(() => keepFresh(holder), LOOK_EVERY);
  const ask = (call) => withCredentials(holder, (credentials) => call(aws, credentials));
  part("sign-out").addEventListener("click", () => signOut(tokens));
  prepareTries(ask, claims["custom:org"] ?? "");
  const [box, said, table] = [part("reader"), part("said"), config.table];
  await createReader({ box, said, table, keys: aws.keys, spaces: spacesOf(claims), ask, read, write, ended: offerSignIn }).show();
}

async function keepFresh(holder) {
  try {
    showCarried(await holder.current());
  } catch (error) {
    if (kindOf(error) === "ended") offerSignIn(sentenceOf(error));
  }
}

function showCarried(credentials) {
  const ends = new Date(credentials.expiresAt);
  const minutes = Math.round((credentials.expiresAt - now(aws)) / 60_000);
  const tag = (name) =>
    fact(make("span", {}, "Tag ", make("code", {}, name)), make("code", {}, credentials.tags[name] || "none"));
  part("carried").replaceChildren(
    tag("org"), tag("role"), tag("client"),
    fact(
      "Credentials end",
      make("time", { datetime: ends.toISOString() }, `${ends.toISOString().slice(11, 16)} UTC`),
      `, in ${minutes} minutes; the page asks for new ones before that`,
    ),
  );
}

function spacesOf(claims) {
  const [org, empty] = [claims["custom:org"], "Your organisation has no collections yet."];
  const own = org ? [{ name: "own", prefix: org, heading: "Your organisation", empty }] : [];
  return [...own, { name: "public", prefix: "PUBLIC", heading: "Public", empty: "There are no public collections yet." }];
}

const read = () => {
  const [space = "", collection = "", key = ""] = location.hash.slice(1).split("/");
  return { space, collection: fromSegment(collection), key: fromSegment(key) };
};

const write = ({ space, collection, key }) =>
  `#${[space, collection && toSegment(collection), key && toSegment(key)].filter(Boolean).join("/")}`;

/** Cognito's own session ends with the page's; the portal's, which is another one, does not. */
async function signOut(tokens) {
  sessionStorage.setItem(SIGNED_OUT, "yes");
  await revoke(aws, tokens.refreshToken).catch(() => {});
  location.assign(logoutAddress(aws, config.page));
}

// ── What AWS refuses ─────────────────────────────────────────────────────────────────────────────────────────────

function prepareTries(ask, org) {
  const own = `${org || "PUBLIC"}#orders`;
  const { table } = config;
  const key = { pk: own, sk: "written-by-a-page" };
  const statement = `SELECT * FROM "${table}" WHERE "${aws.keys.partition.replaceAll('"', '""')}" = '${own}'`;
  const prepare = (id, what, call) => part(id).addEventListener("click", () => attempt(ask, what, call));
  prepare("try-write", `PutItem into ${own}`, (...signer) => tryPut(...signer, { table, ...key }));
  prepare("try-scan", "Scan of the whole table", (...signer) => scan(...signer, { table, limit: 1 }));
  prepare("try-statement", "PartiQL SELECT of your own key", (...signer) => executeStatement(...signer, statement));
  part("try-key").addEventListener("submit", (event) => {
    event.preventDefault();
    const pk = part("pk").value;
    attempt(ask, `Query of ${pk}`, (...signer) => query(...signer, { table, pk, limit: 5 }));
  });
}

async function attempt(ask, what, call) {
  const box = part("answer");
  box.replaceChildren(make("p", { class: "quiet" }, "Asking AWS…"));
  const notice = ask(call).then((answer) => allowedNotice(what, answer), (error) => refusalNotice(what, error));
  box.replaceChildren(await notice);
  box.scrollIntoView({ block: "nearest" });
}

function allowedNotice(what, { items = [], requestId }) {
  const details = make(
    "dl", { class: "facts" },
    fact("You asked for", what),
    fact("Records in the answer", String(items.length)),
    fact("AWS request id", make("code", {}, requestId)),
  );
  return make("div", { class: "notice good" }, make("h3", {}, "Allowed: AWS answered"), details);
}

function refusalNotice(what, error) {
  if (!(error instanceof AwsError)) console.error(error);
  if (kindOf(error) === "ended") offerSignIn(sentenceOf(error));
  if (!error.code) return failure("No answer", sentenceOf(error));
  const details = make(
    "dl", { class: "facts" },
    fact("You asked for", what),
    fact("HTTP status", `${error.status} `, make("code", {}, error.code)),
    fact("AWS request id", make("code", {}, error.requestId)),
  );
  const body = make("pre", { tabindex: "0", "aria-label": "AWS’s own words" }, error.text);
  return make("div", { class: "notice bad" }, make("h3", {}, headingFor(error)), details, body);
}

function headingFor(error) {
  if (kindOf(error) === "denied") return "Refused by AWS";
  return error.code === "ConditionalCheckFailedException" ? "Allowed by AWS; nothing was written" : "Not answered";
}

part("sign-in").addEventListener("click", () => goToSignIn({ silently: false }));
begin().catch((error) => {
  if (!(error instanceof AwsError)) console.error(error);
  offerSignIn(sentenceOf(error));
});
