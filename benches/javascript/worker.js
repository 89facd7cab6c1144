// The production Worker once more, in plain JavaScript: what the wasm is measured against on the same workerd.
//
// Written as one would write it by hand: WebCrypto with an imported key, JSON.parse, object literals for headers, a Durable
// Object class. It does the same work for the same answers on the routes that are measured: the same calls to the same
// bindings with the same SQL, the same headers, the same time-outs. It has neither login, the administrator's routes nor webhooks,
// of the four limiting algorithms only the default one, and no lone admissions kept as alarms; benches/javascript.rs checks that
// the answers are the same.

import { DurableObject } from "cloudflare:workers";

const ALWAYS = {
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "X-Permitted-Cross-Domain-Policies": "none",
  "Cache-Control": "no-store",
  "Vary": "Origin",
};

const TITLES = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

const BODY_MAX_BYTES = 65_536;
const CALL_TIMEOUT_MS = 3_000;
const KV_TIMEOUT_MS = 2_000;
const DAY_MS = 86_400_000;

const SQL = {
  insertTransaction:
    "INSERT INTO transactions (user_id, type, amount_cents, description, date, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  insertTransactionAudit:
    "INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) VALUES (?1, 'transaction', 'create', ?2, json_object('transactionId', last_insert_rowid(), 'requestId', ?3))",
  insertAudit:
    "INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) VALUES (?1, ?2, ?3, ?4, ?5)",
  list: "SELECT id, type, amount_cents, description, date, created_at FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2",
  version: "SELECT id FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT 1",
  summary:
    "SELECT COALESCE(SUM(count), 0) AS count, COALESCE((SELECT MAX(id) FROM transactions WHERE user_id = ?1), 0) AS version, COALESCE(SUM(income_millions), 0) AS income_millions, COALESCE(SUM(income_rest), 0) AS income_rest, COALESCE(SUM(expense_millions), 0) AS expense_millions, COALESCE(SUM(expense_rest), 0) AS expense_rest FROM transaction_months WHERE user_id = ?1",
  months:
    "SELECT month, count, income_millions, income_rest, expense_millions, expense_rest FROM transaction_months WHERE user_id = ?1 ORDER BY month DESC LIMIT 24",
  takeAllowance:
    "INSERT INTO allowances (name, free_at_ms) VALUES (?1, ?2 + ?3) ON CONFLICT (name) DO UPDATE SET free_at_ms = MAX(free_at_ms, ?2) + ?3 WHERE free_at_ms + ?3 <= ?2 + ?4",
  ping: "SELECT 1 AS one",
};

// What an isolate keeps.
let config;
let key;
const memory = new Map();
const denials = new Map();
let probed = { at: 0, answers: null };

function configure(env) {
  const number = (name, fallback) => {
    const value = Number(env[name]);
    return Number.isInteger(value) && value >= 1 ? value : fallback;
  };
  const windowMs = number("RATE_LIMIT_WINDOW_SECONDS", 60) * 1_000;
  const policy = (name, limit) => ({
    name,
    limit,
    windowMs,
    field: `"${name}";q=${limit};w=${windowMs / 1_000}`,
  });
  return {
    policies: {
      general: policy("general", number("RATE_LIMIT_REQUESTS_PER_MINUTE", 100)),
      auth: policy("auth", number("RATE_LIMIT_AUTH_REQUESTS", 5)),
      write: policy("write", number("RATE_LIMIT_WRITE_REQUESTS", 50)),
    },
    dedupeMs: number("ALERT_DEDUPE_SECONDS", 300) * 1_000,
    ttl: {
      dashboard: Math.max(60, number("CACHE_DASHBOARD_TTL", 300)),
      reports: Math.max(60, number("CACHE_REPORTS_TTL", 600)),
      memory: Math.max(60, number("CACHE_TTL_SECONDS", 300)),
    },
    // How often KV is written to: a quarter of a day's writes can be saved up.
    pace: pace(number("CACHE_KV_WRITES_PER_DAY", 900)),
  };
}

function pace(perDay) {
  const saved = Math.max(1, Math.floor(perDay / 4));
  const everyMs = perDay > saved ? Math.ceil(DAY_MS / (perDay - saved)) : 2 * DAY_MS;
  return { everyMs, savedMs: saved * everyMs };
}

export default {
  async fetch(request, env, context) {
    config ??= configure(env);
    const call = {
      request,
      env,
      context,
      path: new URL(request.url).pathname,
      requestId: requestId(),
      startedMs: Date.now(),
      charge: null,
      bodyRead: false,
    };
    let reply;
    try {
      reply = await answer(call);
    } catch (problem) {
      reply = failed(problem);
    }
    if (!call.bodyRead && request.body) {
      // An unread body would cost the client the answer.
      await request.arrayBuffer();
    }
    return respond(call, reply);
  },
};

async function answer(call) {
  const { method } = call.request;
  if (method === "OPTIONS") {
    const methods = call.path === "/api/transactions" ? "GET, POST, OPTIONS" : "GET, OPTIONS";
    return {
      status: 204,
      headers: {
        "Allow": methods,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
      },
    };
  }
  if (call.path === "/api/health" && method === "GET") {
    return health(call);
  }
  const { user, hadToken } = await authenticate(call);
  const identity = user ? `u${user}` : `a${call.request.headers.get("CF-Connecting-IP") ?? "unknown"}`;
  await charge(call, user && call.path === "/api/transactions" && method === "POST" ? "write" : "general", identity, user);
  const routes = {
    "/api/transactions": { GET: list, POST: create },
    "/api/dashboard": { GET: (call, user) => cached(call, user, "dashboard") },
    "/api/reports": { GET: (call, user) => cached(call, user, "reports") },
  };
  const route = routes[call.path];
  if (!route) {
    throw problem(404, "There is nothing under this path.");
  }
  const handler = route[method];
  if (!handler) {
    throw problem(405, "This path does not know the method.", {
      headers: { Allow: [...Object.keys(route), "OPTIONS"].join(", ") },
    });
  }
  if (!user) {
    throw hadToken
      ? problem(401, "The bearer token is not valid.", {
          headers: { "WWW-Authenticate": 'Bearer realm="edgeproof", error="invalid_token"' },
        })
      : problem(401, "A bearer token is needed.", {
          headers: { "WWW-Authenticate": 'Bearer realm="edgeproof"' },
        });
  }
  return handler(call, user);
}

// --- who asks, and whether they may ----------------------------------------------------------------------------------------

async function authenticate(call) {
  const match = /^bearer +(\S+)$/i.exec(call.request.headers.get("Authorization") ?? "");
  if (!match) {
    return { user: null, hadToken: false };
  }
  const claims = await verify(match[1], call.env.AUTH_JWT_SECRET, call.startedMs / 1_000);
  return { user: claims?.sub ?? null, hadToken: true };
}

async function verify(token, secret, nowSeconds) {
  const [header, payload, signature, ...rest] = token.split(".");
  if (!signature || rest.length > 0) {
    return null;
  }
  const encoder = new TextEncoder();
  key ??= await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  try {
    const valid = await crypto.subtle.verify("HMAC", key, fromBase64(signature), encoder.encode(`${header}.${payload}`));
    if (!valid || JSON.parse(new TextDecoder().decode(fromBase64(header))).alg !== "HS256") {
      return null;
    }
    const claims = JSON.parse(new TextDecoder().decode(fromBase64(payload)));
    const inTime = claims.exp > nowSeconds && !(claims.nbf > nowSeconds);
    return inTime && typeof claims.sub === "string" && claims.sub !== "" ? claims : null;
  } catch {
    return null;
  }
}

function fromBase64(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function requestId() {
  const part = () => Math.floor(Math.random() * 2 ** 48).toString(16).padStart(12, "0");
  return part() + part();
}

async function charge(call, policyName, identity, user) {
  const policy = config.policies[policyName];
  const name = identity[0] + (await sha256(identity.slice(1)));
  const decision = denied(policyName, name) ?? (await ask(call.env, name, policyName));
  call.charge = { policy, decision };
  if (decision.allowed) {
    return;
  }
  if (decision.firstDenial) {
    const metadata = JSON.stringify({
      endpoint: call.path,
      method: call.request.method,
      requestId: call.requestId,
      policy: policyName,
    });
    const row = call.env.DB.prepare(SQL.insertAudit)
      .bind(new Date().toISOString(), "security", "rate_limit_exceeded", user, metadata);
    call.context.waitUntil(row.run());
  }
  throw problem(429, "The quota is used up. Try again after the time in Retry-After.", {
    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
    "violated-policies": [policyName],
  });
}

// What an object has denied, the isolate denies by itself for as long as the object would.
function denied(policyName, name) {
  const denial = denials.get(`${policyName}:${name}`);
  const now = Date.now();
  if (!denial || now >= denial.holdsUntil) {
    return null;
  }
  const waitMs = denial.resetMs - (now - denial.answered);
  return { allowed: false, remaining: 0, resetSeconds: Math.max(1, Math.ceil(waitMs / 1_000)), firstDenial: false };
}

async function ask(env, name, policyName) {
  const asked = Date.now();
  const decision = await within(CALL_TIMEOUT_MS, askLimiter(env, name, policyName));
  if (!decision.allowed) {
    const { resetMs } = decision;
    if (denials.size >= 10_000) {
      denials.delete(denials.keys().next().value);
    }
    denials.set(`${policyName}:${name}`, {
      resetMs,
      answered: Date.now(),
      holdsUntil: asked + Math.min(resetMs, config.dedupeMs),
    });
  }
  return decision;
}

async function askLimiter(env, name, what) {
  const response = await env.RATE_LIMITER.getByName(name).fetch(`https://rate-limiter/${what}`);
  if (!response.ok) {
    throw new Error("the object refused");
  }
  const [allowed, remaining, resetMs, firstDenial] = (await response.text()).split(" ").map(Number);
  const resetSeconds = Math.max(1 - allowed, Math.ceil(resetMs / 1_000));
  return { allowed: allowed === 1, remaining, resetMs, resetSeconds, firstDenial: firstDenial === 1 };
}

function within(timeoutMs, work) {
  let timer;
  const end = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), timeoutMs);
  });
  return Promise.race([work, end]).finally(() => clearTimeout(timer));
}

export class RateLimiter extends DurableObject {
  held = {};
  armed = false;

  async fetch(request) {
    config ??= configure(this.env);
    const name = new URL(request.url).pathname.slice(1);
    if (name === "ping") {
      return new Response();
    }
    const policy = config.policies[name];
    if (!policy) {
      return new Response("no such policy", { status: 404 });
    }
    const held = await this.load(name);
    const now = Date.now();
    const decision = decide(held, policy, now);
    if (!decision.allowed && now - held.deniedMs >= policy.windowMs) {
      held.deniedMs = now;
      decision.firstDenial = true;
    }
    if (!decision.allowed && now - held.alertedMs >= config.dedupeMs) {
      held.alertedMs = now;
      decision.alert = true;
    }
    if (decision.allowed || decision.alert) {
      if (!this.armed) {
        await this.ctx.storage.setAlarm(now + this.keepMs());
        this.armed = true;
      }
      await this.ctx.storage.put(name, encode(held));
    }
    return new Response(
      `${Number(decision.allowed)} ${decision.remaining} ${decision.resetMs} ${Number(decision.firstDenial)} ${Number(decision.alert)}`,
    );
  }

  async alarm() {
    config ??= configure(this.env);
    const now = Date.now();
    let mattersUntil = 0;
    for (const policy of Object.values(config.policies)) {
      const held = await this.load(policy.name);
      mattersUntil = Math.max(
        mattersUntil,
        (held.admitted.at(-1) ?? 0) + policy.windowMs,
        held.alertedMs + config.dedupeMs,
      );
    }
    if (mattersUntil > now) {
      await this.ctx.storage.setAlarm(Math.min(mattersUntil, now + this.keepMs()));
    } else {
      await this.ctx.storage.deleteAll();
      this.held = {};
      this.armed = false;
    }
  }

  async load(name) {
    if (!this.held[name]) {
      const stored = await this.ctx.storage.get(name);
      this.armed ||= stored !== undefined;
      this.held[name] ??= decode(stored);
    }
    return this.held[name];
  }

  keepMs() {
    return Math.max(config.dedupeMs, config.policies.general.windowMs);
  }
}

// A sliding log: exact, and one stamp for each admitted request of the last window.
function decide(held, policy, now) {
  const { admitted } = held;
  for (let place = admitted.length - 1; place >= 0 && admitted[place] > now; place -= 1) {
    admitted[place] = now;
  }
  while (admitted.length > 0 && admitted[0] + policy.windowMs <= now) {
    admitted.shift();
  }
  const used = admitted.length;
  const decision = { allowed: used < policy.limit, remaining: 0, resetMs: 0, firstDenial: false, alert: false };
  if (decision.allowed) {
    admitted.push(now);
    decision.remaining = policy.limit - used - 1;
    decision.resetMs = admitted[0] + policy.windowMs - now;
  } else {
    const leavesRoom = admitted[used - policy.limit];
    decision.resetMs = leavesRoom + policy.windowMs - now;
  }
  return decision;
}

function encode(held) {
  let last = 0;
  const distances = held.admitted.map((stamp) => {
    const distance = stamp - last;
    last = stamp;
    return distance;
  });
  return `${held.alertedMs} ${held.deniedMs} sliding-log ${distances.join(",")}`;
}

function decode(stored) {
  const [alertedMs, deniedMs, , distances] = (stored ?? "0 0 sliding-log ").split(" ");
  let last = 0;
  const admitted = distances === "" ? [] : distances.split(",").map((distance) => (last += Number(distance)));
  return { alertedMs: Number(alertedMs), deniedMs: Number(deniedMs), admitted };
}

// --- routes ----------------------------------------------------------------------------------------------------------------

async function jsonBody(call) {
  const { request } = call;
  const mediaType = (request.headers.get("Content-Type") ?? "").split(";")[0].trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw problem(415, "The body must be application/json.");
  }
  call.bodyRead = true;
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > BODY_MAX_BYTES) {
    throw problem(413, "The body is longer than 65536 bytes.");
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw problem(400, "The body is not JSON.");
  }
}

function validated(body) {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw problem(422, "The body does not have the form that is asked for.", {
      errors: [{ pointer: "", detail: "must be an object" }],
    });
  }
  const { type, amount, description, date } = body;
  const cents = Math.round(amount * 100);
  const errors = [];
  if (type !== "income" && type !== "expense") {
    errors.push({ pointer: "/type", detail: 'must be "income" or "expense"' });
  }
  if (typeof amount !== "number" || cents / 100 !== amount || cents < 1 || cents > 100_000_000_000_000) {
    errors.push({
      pointer: "/amount",
      detail: "must be a number above 0 and up to 1000000000000, with at most 2 decimals",
    });
  }
  const length = typeof description === "string" ? [...description].length : 0;
  if (length < 1 || length > 500 || description.includes("\0")) {
    errors.push({ pointer: "/description", detail: "must be text of 1 to 500 characters, without U+0000" });
  }
  if (typeof date !== "string" || !isRealDate(date)) {
    errors.push({ pointer: "/date", detail: "must be a date that exists, written YYYY-MM-DD" });
  }
  if (errors.length > 0) {
    throw problem(422, "The body does not have the form that is asked for.", { errors });
  }
  return { type, cents, description, date };
}

function isRealDate(text) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    return false;
  }
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

async function create(call, user) {
  const { type, cents, description, date } = validated(await jsonBody(call));
  const { DB } = call.env;
  const createdAt = new Date(call.startedMs).toISOString();
  const [inserted] = await DB.batch([
    DB.prepare(SQL.insertTransaction).bind(user, type, cents, description, date, createdAt),
    DB.prepare(SQL.insertTransactionAudit).bind(createdAt, user, call.requestId),
  ]);
  const id = inserted.meta.last_row_id;
  return {
    status: 201,
    headers: { Location: `/api/transactions/${id}` },
    body: { data: { id, type, amount: cents / 100, description, date, createdAt } },
  };
}

const shown = (row) => ({
  id: row.id,
  type: row.type,
  amount: row.amount_cents / 100,
  description: row.description,
  date: row.date,
  createdAt: row.created_at,
});

async function list(call, user) {
  const limit = Number(new URL(call.request.url).searchParams.get("limit") ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw problem(400, "The parameter limit must be a whole number from 1 to 100.");
  }
  const { results } = await call.env.DB.prepare(SQL.list).bind(user, limit).all();
  return { status: 200, body: { data: results.map(shown) } };
}

async function cached(call, user, kind) {
  const { DB, CACHE_KV } = call.env;
  const version = (await DB.prepare(SQL.version).bind(user).first("id")) ?? 0;
  const wanted = `${kind}:1:${await sha256(user)}:${version}`;
  const hit = (text) => ({ status: 200, headers: { "X-Cache": "HIT" }, text });
  const kept = memory.get(wanted);
  if (kept && Date.now() < kept.until) {
    return hit(kept.text);
  }
  const stored = await within(KV_TIMEOUT_MS, CACHE_KV.get(wanted)).catch(() => null);
  if (stored !== null) {
    remember(kind, wanted, stored);
    return hit(stored);
  }
  const second =
    kind === "dashboard" ? DB.prepare(SQL.list).bind(user, 5) : DB.prepare(SQL.months).bind(user);
  const [summary, rows] = await DB.batch([DB.prepare(SQL.summary).bind(user), second]);
  const [totals] = summary.results;
  const data = { transactionCount: totals.count, ...sums(totals) };
  if (kind === "dashboard") {
    data.recent = rows.results.map(shown);
  } else {
    data.months = rows.results.map((row) => ({ month: row.month, transactionCount: row.count, ...sums(row) }));
  }
  const text = JSON.stringify({ data });
  const computed = `${kind}:1:${await sha256(user)}:${totals.version}`;
  remember(kind, computed, text);
  call.context.waitUntil(put(call.env, kind, computed, text));
  return { status: 200, headers: { "X-Cache": "MISS" }, text };
}

function remember(kind, wanted, text) {
  if (memory.size >= 512) {
    memory.delete(memory.keys().next().value);
  }
  const seconds = Math.min(config.ttl[kind], config.ttl.memory);
  memory.set(wanted, { text, until: Date.now() + seconds * 1_000 });
}

// Puts a value into KV, if the allowance that all isolates share has a write left.
async function put({ DB, CACHE_KV }, kind, wanted, text) {
  const { everyMs, savedMs } = config.pace;
  const taken = await DB.prepare(SQL.takeAllowance).bind("kv.writes", Date.now(), everyMs, savedMs).run();
  if (taken.meta.changes !== 0) {
    await CACHE_KV.put(wanted, text, { expirationTtl: config.ttl[kind] });
  }
}

function sums(row) {
  const income = row.income_millions * 1_000_000 + row.income_rest;
  const expense = row.expense_millions * 1_000_000 + row.expense_rest;
  return { income: income / 100, expense: expense / 100, balance: (income - expense) / 100 };
}

async function health({ env }) {
  if (!probed.answers || Date.now() - probed.at >= 10_000) {
    const answers = (work) => within(1_000, work).then(() => true, () => false);
    probed = {
      at: Date.now(),
      answers: await Promise.all([
        answers(env.DB.prepare(SQL.ping).first("one")),
        answers(env.CACHE_KV.get("health")),
        answers(env.RATE_LIMITER.getByName("ping").fetch("https://rate-limiter/ping")),
      ]),
    };
  }
  const [database, cache, rateLimiter] = probed.answers.map((works) => (works ? "ok" : "failing"));
  const degraded = [database, cache, rateLimiter].includes("failing");
  return {
    status: 200,
    body: {
      status: degraded ? "degraded" : "ok",
      components: {
        database,
        cache,
        rateLimiter,
        authentication: env.AUTH_JWT_SECRET ? "ok" : "absent",
        errorAlerts: "absent",
        securityAlerts: "absent",
      },
    },
  };
}

// --- answers ---------------------------------------------------------------------------------------------------------------

// No Error: nobody reads its stack.
class Problem {
  constructor(status, detail, { headers, ...members }) {
    Object.assign(this, { status, detail, headers, members });
  }
}

function problem(status, detail, more = {}) {
  return new Problem(status, detail, more);
}

function failed(error) {
  if (error instanceof Problem) {
    return { status: error.status, headers: error.headers, problem: error };
  }
  console.error(error.stack);
  const unavailable = problem(503, "The database is not available at the moment.");
  return { status: 503, headers: { "Retry-After": "30" }, problem: unavailable };
}

function respond(call, reply) {
  const headers = { ...ALWAYS, "X-Request-Id": call.requestId };
  if (call.charge) {
    const { policy, decision } = call.charge;
    headers["RateLimit-Policy"] = policy.field;
    headers["RateLimit"] = `"${policy.name}";r=${decision.remaining};t=${decision.resetSeconds}`;
    if (!decision.allowed) {
      headers["Retry-After"] = String(decision.resetSeconds);
    }
  }
  Object.assign(headers, reply.headers);
  if (reply.problem) {
    const { status, detail, members } = reply.problem;
    const { type, ...rest } = members;
    headers["Content-Type"] = "application/problem+json";
    const body = { type, title: TITLES[status], status, detail, requestId: call.requestId, ...rest };
    return new Response(JSON.stringify(body), { status, headers });
  }
  if (reply.status === 204) {
    return new Response(null, { status: 204, headers });
  }
  headers["Content-Type"] = "application/json";
  return new Response(reply.text ?? JSON.stringify(reply.body), { status: reply.status, headers });
}
