// Speaks to Cognito, an identity pool and DynamoDB from a page, with no server of ours between. It knows no page and
// stores nothing: tokens and credentials live in memory, in what these functions return.
//
// Most functions take `aws`, the page's settings:
//   region, dynamodb, identity   the region, and the services' addresses without a slash at the end
//   domain, clientId             of the sign-in pages, and of the client without a secret
//   identityPool, provider       the identity pool's id, and the user pool's name as the identity pool knows it
//   keys                         {partition, sort}, what the table calls its two keys; pk and sk if it is not given
//   tell(exchange)               hears of every request and its answer, without anything secret
//   offset                       milliseconds by which AWS's clock is ahead of this computer's

const utf8 = new TextEncoder();
const MINUTE = 60_000;
const RENEW_BEFORE = 5 * MINUTE;
const TRIES = 4;
const LONGEST_WAIT = 10_000;

// ── Signature Version 4 ──────────────────────────────────────────────────────────────────────────────────────────
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

/** Percent-encodes all but letters, digits and `-_.~`. */
export const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** A path as it is sent; a slash inside a segment is encoded. */
export const encodePath = (segments) => `/${segments.map(encode).join("/")}`;

/** `pairs` are names with values, in any order; names may repeat. Sorted, as the signature wants them. */
export const encodeQuery = (pairs) =>
  pairs
    .map((pair) => pair.map(encode))
    .sort(([name, value], [other, its]) => compare(name, other) || compare(value, its))
    .map((pair) => pair.join("="))
    .join("&");

/**
 * The headers to send, by small names, `authorization` among them and `host` not: the browser adds it.
 *
 * `path` is as it is sent, `query` decoded pairs, `body` a string. `credentials.sessionToken` may be missing.
 */
export async function sign({ method, host, path, query = [], headers = {}, body = "" }, credentials, place) {
  const { region, service, at = new Date() } = place;
  const time = at.toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = [time.slice(0, 8), region, service, "aws4_request"];
  const sent = { ...tidy(headers), host, "x-amz-date": time };
  if (credentials.sessionToken) sent["x-amz-security-token"] = credentials.sessionToken;
  const names = Object.keys(sent).sort(compare);
  const lines = names.map((name) => `${name}:${sent[name]}`);
  const canonical = [method, canonicalPath(path), encodeQuery(query), ...lines, "", names.join(";"), await sha256(body)];
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), await sha256(canonical.join("\n"))].join("\n");
  const signature = hex(await hmac(await signingKey(credentials.secretAccessKey, scope), text));
  delete sent.host;
  const key = `Credential=${credentials.accessKeyId}/${scope.join("/")}`;
  sent.authorization = `AWS4-HMAC-SHA256 ${key}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return sent;
}

const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

const sha256 = async (text) => hex(await crypto.subtle.digest("SHA-256", utf8.encode(text)));

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, utf8.encode(text));
}

async function signingKey(secret, scope) {
  let key = utf8.encode(`AWS4${secret}`);
  for (const part of scope) key = await hmac(key, part);
  return key;
}

/** Names small, blanks around values gone, runs of blanks one blank. */
const tidy = (headers) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim().replace(/\s+/g, " ")]),
  );

/** Dots and empty segments resolved, then encoded once more: `path` is encoded already, and S3 is not spoken to. */
function canonicalPath(path) {
  const kept = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment && segment !== ".") kept.push(segment);
  }
  return `/${kept.map(encode).join("/")}${path.endsWith("/") && kept.length ? "/" : ""}`;
}

// ── Errors ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What AWS answered instead. `status` 0 and `code` "" mean that no answer came. `skew` is milliseconds or null. */
export class AwsError extends Error {
  constructor({ host, status = 0, code = "", text = "", requestId = "", skew = null }) {
    super(text || code || "no answer");
    Object.assign(this, { host, status, code, text, requestId, skew });
  }
}

const KINDS = [
  ["clock", /^(RequestTimeTooSkewed|RequestExpired)$/],
  ["throttled", /^(Throttling(Exception)?|TooManyRequestsException|too_many_requests)$/],
  ["throttled", /^(ProvisionedThroughputExceededException|RequestLimitExceeded)$/],
  ["ended", /^(ExpiredTokenException|ExpiredToken|UnrecognizedClientException|InvalidClientTokenId|invalid_grant)$/],
  ["denied", /^(AccessDeniedException|AccessDenied|NotAuthorizedException|ForbiddenException)$/],
];

/** network, clock, throttled, ended (a token or credentials are over), denied, unavailable, or other. */
export function kindOf({ status, code, text }) {
  if (!status) return "network";
  if (code === "NotAuthorizedException" && /Token expired|Token is inactive/.test(text)) return "ended";
  if (code === "InvalidSignatureException" && /^Signature (expired|not yet current)/.test(text)) return "clock";
  const known = KINDS.find(([, codes]) => codes.test(code));
  if (known) return known[0];
  if (status === 429) return "throttled";
  return status === 403 ? "denied" : status >= 500 ? "unavailable" : "other";
}

/** For the person at the page: what happened, and what they can do. */
export function sentenceOf(error) {
  if (!(error instanceof AwsError)) return "This page failed. Load it again.";
  const { host, text, code, skew } = error;
  const minutes = skew === null ? "" : ` by about ${Math.max(1, Math.round(Math.abs(skew) / MINUTE))} minutes`;
  return {
    network: `No answer from ${host}. You may be offline, or something between this browser and AWS blocks it.`,
    clock: `This computer’s clock differs from AWS’s${minutes}, so AWS takes no signature from it. Set the clock right.`,
    throttled: "AWS has too many requests at the moment. Try again in a few seconds.",
    ended: "This sign-in has ended. Sign in again.",
    denied: `AWS refused this: ${text || code}`,
    unavailable: "AWS could not answer at the moment. Try again in a few seconds.",
    other: `AWS did not accept the request: ${text || code}`,
  }[kindOf(error)];
}

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** One request and its answer as `{data, requestId}`. Raises AwsError. `told` is what `aws.tell` hears beside it. */
async function askOnce(aws, { method = "POST", url, headers, body }, told) {
  const began = performance.now();
  const { host } = new URL(url);
  const finish = (answer) => {
    aws.tell({ method, host, tags: null, ...told, ...answer, milliseconds: Math.round(performance.now() - began) });
    if (!answer.status || answer.status >= 400) throw new AwsError({ host, ...answer });
  };
  const answer = await send(url, { method, headers, body });
  const { data, ...rest } = answer ? read(answer) : { status: 0, code: "", text: "", requestId: "" };
  finish(rest);
  return { data, requestId: rest.requestId };
}

/** `{response, body}`, or null where no answer came: a browser does not say why. */
async function send(url, request) {
  const fixed = { credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" };
  try {
    const response = await fetch(url, { ...request, ...fixed, signal: AbortSignal.timeout(LONGEST_WAIT) });
    return { response, body: await response.text() };
  } catch {
    return null;
  }
}

function read({ response, body }) {
  const data = parseJson(body);
  const requestId = response.headers.get("x-amzn-requestid") ?? response.headers.get("apigw-requestid") ?? "";
  if (response.ok) return { status: response.status, code: "", text: "", requestId, data };
  const type = data.__type ?? response.headers.get("x-amzn-errortype") ?? data.error ?? "";
  const said = Date.parse(response.headers.get("date") ?? "");
  return {
    status: response.status,
    code: type.split("#").at(-1).split(":")[0],
    text: data.message ?? data.Message ?? data.error_description ?? "",
    requestId,
    skew: Number.isNaN(said) ? null : said - Date.now(),
  };
}

function parseJson(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

/** Tries again, each time later, while AWS is too busy; once at once where the clock was wrong, by AWS's own. */
async function withRetries(aws, attempt) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const kind = kindOf(error);
      if (kind === "clock" && error.skew !== null && tries === 1) aws.offset = error.skew;
      else if (!["throttled", "unavailable"].includes(kind) || tries === TRIES) throw error;
      else await new Promise((done) => setTimeout(done, 100 * 2 ** tries * (0.5 + Math.random())));
    }
  }
}

/** Milliseconds since 1970 by AWS's clock, as far as it is known. */
export const now = (aws) => Date.now() + (aws.offset ?? 0);

/** A request that is signed with somebody's credentials. `path` is as it is sent, `query` decoded pairs. */
function sendSigned(aws, credentials, service, request, told) {
  const { origin, host } = new URL(request.url);
  const { path = "/", query = [] } = request;
  return withRetries(aws, async () => {
    const place = { region: aws.region, service, at: new Date(now(aws)) };
    const headers = await sign({ ...request, host, path, query }, credentials, place);
    const url = `${origin}${path}${query.length ? `?${encodeQuery(query)}` : ""}`;
    return askOnce(aws, { ...request, url, headers }, { ...told, tags: credentials.tags });
  });
}

const json = (target, data, version) => ({
  method: "POST",
  headers: { "content-type": `application/x-amz-json-${version}`, "x-amz-target": target },
  body: JSON.stringify(data),
});

// ── DynamoDB ─────────────────────────────────────────────────────────────────────────────────────────────────────
// Values stay as DynamoDB writes them, {"N": "1.50"}: a number of JavaScript would lose digits.

function dynamodb(aws, credentials, operation, data, asked) {
  const target = `DynamoDB_20120810.${operation}`;
  return sendSigned(aws, credentials, "dynamodb", { url: aws.dynamodb, ...json(target, data, "1.0") }, { target, asked });
}

const namesIn = (aws) => aws.keys ?? { partition: "pk", sort: "sk" };

const keyOf = (aws, pk, sk) => ({ [namesIn(aws).partition]: { S: pk }, [namesIn(aws).sort]: { S: sk } });

/** One page of a partition: `{items, after}`; `after` leads to the next page, null where this is the last. */
export async function query(aws, credentials, { table, pk, limit, after = null }) {
  const parameters = {
    TableName: table,
    KeyConditionExpression: "#pk = :pk",
    ExpressionAttributeNames: { "#pk": namesIn(aws).partition },
    ExpressionAttributeValues: { ":pk": { S: pk } },
    Limit: limit,
    ...(after && { ExclusiveStartKey: after }),
  };
  const { data, requestId } = await dynamodb(aws, credentials, "Query", parameters, pk);
  return { items: data.Items ?? [], after: data.LastEvaluatedKey ?? null, requestId };
}

/** The item, or null. */
export async function getItem(aws, credentials, { table, pk, sk }) {
  const { data } = await dynamodb(aws, credentials, "GetItem", { TableName: table, Key: keyOf(aws, pk, sk) }, `${pk} / ${sk}`);
  return data.Item ?? null;
}

/** Asks for the permission to write alone: no row meets the condition, so nothing is written where it is allowed. */
export function tryPut(aws, credentials, { table, pk, sk }) {
  const never = "attribute_exists(#pk) AND attribute_not_exists(#pk)";
  const names = { "#pk": namesIn(aws).partition };
  const request = { TableName: table, Item: keyOf(aws, pk, sk), ConditionExpression: never, ExpressionAttributeNames: names };
  return dynamodb(aws, credentials, "PutItem", request, `${pk} / ${sk}`);
}

export const scan = (aws, credentials, { table, limit }) =>
  dynamodb(aws, credentials, "Scan", { TableName: table, Limit: limit }, "the whole table");

export const executeStatement = (aws, credentials, statement) =>
  dynamodb(aws, credentials, "ExecuteStatement", { Statement: statement }, statement);

/** The HTTP API whose paths begin with an organisation. `url` may end with a path, without a slash. */
export function callApi(aws, credentials, { method = "GET", url, segments, query: pairs = [] }) {
  const path = `${new URL(url).pathname.replace(/\/$/, "")}${encodePath(segments)}`;
  return sendSigned(aws, credentials, "execute-api", { method, url, path, query: pairs }, { target: path, asked: path });
}

// ── Identity pool ────────────────────────────────────────────────────────────────────────────────────────────────
// https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html, the enhanced flow

function identity(aws, operation, data, asked) {
  const target = `AWSCognitoIdentityService.${operation}`;
  const request = { url: aws.identity, ...json(target, data, "1.1") };
  return withRetries(aws, () => askOnce(aws, request, { target, asked }));
}

const loginsOf = (aws, idToken) => (idToken ? { Logins: { [aws.provider]: idToken } } : {});

/** The identity of the person, or a new one for a guest where there is no token. */
export async function getId(aws, idToken = "") {
  const request = { IdentityPoolId: aws.identityPool, ...loginsOf(aws, idToken) };
  return (await identity(aws, "GetId", request, aws.identityPool)).data.IdentityId;
}

/** `tags` are what the token has for them; none for a guest. `expiresAt` in milliseconds. */
export async function getCredentials(aws, identityId, idToken = "") {
  const request = { IdentityId: identityId, ...loginsOf(aws, idToken) };
  const { Credentials: made } = (await identity(aws, "GetCredentialsForIdentity", request, "temporary credentials")).data;
  return {
    accessKeyId: made.AccessKeyId,
    secretAccessKey: made.SecretKey,
    sessionToken: made.SessionToken,
    expiresAt: made.Expiration * 1000,
    tags: idToken ? tagsIn(claimsIn(idToken)) : {},
  };
}

/** What the token says, unchecked: the identity pool is who checks it. */
export function claimsIn(idToken) {
  const text = atob(idToken.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (sign) => sign.charCodeAt(0))));
}

const tagsIn = (claims) => ({ org: claims["custom:org"] ?? "", role: claims["custom:role"] ?? "", client: claims.aud });

// ── Signing in: authorization code with PKCE ─────────────────────────────────────────────────────────────────────
// https://docs.aws.amazon.com/cognito/latest/developerguide/using-pkce-in-authorization-code.html

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** 43 characters that nobody can guess: a verifier, or a state. */
export const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

export const challengeOf = async (verifier) => base64url(await crypto.subtle.digest("SHA-256", utf8.encode(verifier)));

/** Where the browser goes to sign in. `prompt` "none" asks for an answer without a page. */
export async function authorizeAddress(aws, { redirectUri, state, verifier, prompt = "" }) {
  const asked = [
    ["response_type", "code"], ["client_id", aws.clientId], ["redirect_uri", redirectUri],
    ["scope", "openid email profile"], ["state", state],
    ["code_challenge", await challengeOf(verifier)], ["code_challenge_method", "S256"],
    ...(prompt ? [["prompt", prompt]] : []),
  ];
  return `${aws.domain}/oauth2/authorize?${encodeQuery(asked)}`;
}

export const logoutAddress = (aws, redirectUri) =>
  `${aws.domain}/logout?${encodeQuery([["client_id", aws.clientId], ["logout_uri", redirectUri]])}`;

function oauth(aws, path, form, asked) {
  const body = encodeQuery(Object.entries({ ...form, client_id: aws.clientId }));
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return withRetries(aws, () => askOnce(aws, { url: `${aws.domain}${path}`, headers, body }, { target: path, asked }));
}

const tokensIn = ({ data }) => ({ idToken: data.id_token, refreshToken: data.refresh_token });

export const exchangeCode = async (aws, { code, verifier, redirectUri }) =>
  tokensIn(
    await oauth(
      aws, "/oauth2/token",
      { grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: redirectUri },
      "tokens for the code",
    ),
  );

/** The client rotates refresh tokens: the answer's takes the place of the one that was sent. */
export const refreshTokens = async (aws, refreshToken) =>
  tokensIn(await oauth(aws, "/oauth2/token", { grant_type: "refresh_token", refresh_token: refreshToken }, "new tokens"));

/** Ends the refresh token, and with it the whole sign-in. */
export const revoke = (aws, refreshToken) =>
  oauth(aws, "/oauth2/revoke", { token: refreshToken }, "an end of the refresh token");

// ── Credentials that are renewed in time ─────────────────────────────────────────────────────────────────────────

/** `current` gives credentials that are good for five minutes more; `make` is never asked twice at the same time. */
export function renewable(aws, make) {
  let held = null;
  let renewal = null;
  const left = () => (held ? held.expiresAt - now(aws) : 0);
  const renew = () => (renewal ??= make().then((made) => (held = made)).finally(() => (renewal = null)));
  return {
    renew,
    current: async () => {
      if (left() > RENEW_BEFORE) return held;
      return renew().catch((error) => holdWhileGood(left(), held, error));
    },
  };
}

function holdWhileGood(left, held, error) {
  if (left <= 0 || kindOf(error) === "ended") throw error;
  return held;
}

/** Of somebody who is signed in. `tokens` are read and, where the ID token is old, replaced. */
export function personCredentials(aws, tokens) {
  let identityId = "";
  return renewable(aws, async () => {
    if (claimsIn(tokens.idToken).exp * 1000 - now(aws) < MINUTE / 2) {
      const fresh = await refreshTokens(aws, tokens.refreshToken);
      Object.assign(tokens, fresh.refreshToken ? fresh : { idToken: fresh.idToken });
    }
    identityId ||= await getId(aws, tokens.idToken);
    return getCredentials(aws, identityId, tokens.idToken);
  });
}

/** Of a guest. `kept` reads, writes and forgets the identity's id, which is no secret: a new one is made only without. */
export function guestCredentials(aws, kept) {
  return renewable(aws, async () => {
    try {
      if (kept.read()) return await getCredentials(aws, kept.read());
    } catch (error) {
      // The identity is gone, or somebody's since they signed in.
      if (!["ResourceNotFoundException", "NotAuthorizedException"].includes(error.code)) throw error;
      kept.forget();
    }
    const identityId = await getId(aws);
    kept.write(identityId);
    return getCredentials(aws, identityId);
  });
}

/** Runs `call` with credentials; once more with new ones where AWS says that these have ended. */
export async function withCredentials(holder, call) {
  const held = await holder.current();
  try {
    return await call(held);
  } catch (error) {
    if (kindOf(error) !== "ended") throw error;
    return call(await holder.renew());
  }
}
