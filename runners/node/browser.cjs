// Shows a page in a browser for the recorder: node browser.cjs job.json. The browser has no other way out than this process's
// proxy, which serves the page's folder, passes on requests to origins that the user has named, refuses all others, and takes what
// page.cjs sends to the recorder. How the browser itself is told what to do: chromium.cjs, firefox.cjs.

"use strict";

const { spawn, spawnSync } = require("child_process");
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const net = require("net");
const path = require("path");

const job = JSON.parse(fs.readFileSync(process.argv[2]));
const { socket: number } = JSON.parse(fs.readFileSync(path.join(__dirname, "link.json")));

// Most bytes of one request by page.cjs.
const MOST = 1 << 30;
// How long a page may take to start, in milliseconds, and to answer in the end.
const START = 60000;
const ANSWER = 5000;
// How often the condition is asked for.
const PERIOD = 100;
// Refused origins that are listed.
const LISTED = 10;
const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "firefox", "firefox-esr"];
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm",
  ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg",
};
// The files of the preload, the one that starts it last.
const PRELOAD = ["traps", "watched", "guest", "wire", "module", "behind", "page"].map((name) => `${name}.cjs`);

const token = crypto.randomBytes(16).toString("hex");
const say = (words) => process.stderr.write(`forkpoint: ${words}\n`);
// What a stranger wrote, on one line without control characters.
const shown = (text) => JSON.stringify(String(text).slice(0, 300)).replace(/[\u007f-\uffff]/g, "?");
const sleep = (period) => new Promise((resolve) => setTimeout(resolve, period));

// The recorder.
const recorder = new net.Socket({ fd: number });
let orders = Buffer.alloc(0);
const waiting = [];
recorder.on("data", (bytes) => {
  orders = Buffer.concat([orders, bytes]);
  while (orders.length >= 5 && orders.length >= 5 + orders.readUInt32LE(1)) {
    const end = 5 + orders.readUInt32LE(1);
    waiting.shift()?.(JSON.parse(orders.subarray(5, end).toString()));
    orders = orders.subarray(end);
  }
});
recorder.on("close", () => leave(1));
recorder.on("error", () => leave(1));

const tell = (bytes) => new Promise((resolve) => recorder.write(bytes, resolve));

function message(value) {
  const text = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(5);
  head.write("J", "latin1");
  head.writeUInt32LE(text.length, 1);
  return tell(Buffer.concat([head, text]));
}

async function setupFailed(why) {
  await message({ Failed: why });
  leave(1);
}

let browser = null;
let profile = null;

// Ends this process, and the browser before it.
function leave(code) {
  const out = () => {
    if (profile !== null) fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  };
  if (browser === null || browser.exitCode !== null || browser.signalCode !== null) return out();
  browser.once("exit", out);
  browser.kill("SIGKILL");
}

// Which document or worker is recorded, whether it has ended, and what was refused.
let owner = null;
let ended = false;
const refused = new Map();
// Hosts that the page asked for: the browser asks for some of its own.
const wanted = new Set();
let modules = 0;
// Workers that have the preload, by what they call themselves in requests, with what the browser calls them.
const workers = new Map();

function refuse(origin) {
  if (refused.size < 1000 || refused.has(origin)) refused.set(origin, (refused.get(origin) ?? 0) + 1);
}

function want(address) {
  if (wanted.size >= 1000) return;
  try {
    const { protocol, hostname, port } = new URL(address);
    wanted.add(`${hostname}:${port || (/^(https|wss):$/.test(protocol) ? 443 : 80)}`);
  } catch {
    // No address of a host.
  }
}

async function body(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MOST) throw new Error("too long a request");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

// A request by page.cjs.
async function link(request, response) {
  const [document, what, name] = new URL(request.url, "http://x").pathname.split("/").slice(2);
  const bytes = await body(request);
  const answer = (status, content) => {
    response.writeHead(status, { "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store" });
    response.end(content);
  };
  if (what === "module") {
    const file = `module-${workers.has(document) ? 1 : 0}-${modules++}.wasm`;
    fs.writeFileSync(path.join(__dirname, file), bytes);
    const order = new Promise((resolve) => waiting.push(resolve));
    await message({ Module: file });
    const { Record: plan } = await order;
    if (plan !== undefined) owner = document;
    return answer(200, JSON.stringify({ plan }));
  }
  if (document !== owner || ended) return answer(403);
  if (what === "file") return answer(200, fs.readFileSync(path.join(__dirname, path.basename(name))));
  if (what === "frames") await tell(bytes);
  if (what === "end") ended = true;
  // What was refused is the recorder's to end.
  if (what !== "refused") answer(200);
}

// A file of the page's folder.
function serve(request, response) {
  const fail = (status) => response.writeHead(status).end();
  if (job.folder === undefined) return fail(404);
  let file;
  try {
    const asked = decodeURIComponent(new URL(request.url, "http://x").pathname);
    file = fs.realpathSync(path.join(job.folder, asked));
    const inside = path.relative(fs.realpathSync(job.folder), file);
    if (inside.startsWith("..") || path.isAbsolute(inside) || !fs.statSync(file).isFile()) return fail(404);
  } catch {
    return fail(404);
  }
  response.writeHead(200, { "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream" });
  if (request.method === "HEAD") return response.end();
  fs.createReadStream(file).on("error", () => response.destroy()).pipe(response);
}

const server = http.createServer((request, response) => {
  const own = `127.0.0.1:${server.address().port}`;
  let url;
  try {
    url = new URL(request.url, `http://${request.headers.host ?? own}`);
  } catch {
    return response.writeHead(400).end();
  }
  if (url.host === own) {
    if (!url.pathname.startsWith(`/${token}/`)) return serve(request, response);
    return link(request, response).catch((error) => {
      say(`a request by the page failed: ${shown(error.message)}`);
      response.destroy();
    });
  }
  if (url.protocol !== "http:" || !job.origins.includes(url.origin)) {
    refuse(`${url.hostname}:${url.port || 80}`);
    return response.writeHead(403).end();
  }
  const { method, headers } = request;
  const onward = http.request(url, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
});

// A tunnel, by which pages under https and sockets are reached.
server.on("connect", (request, client, head) => {
  client.on("error", () => {});
  const [, host, port] = /^\[?([^\]]*)\]?:(\d+)$/.exec(request.url) ?? [];
  const named = job.origins.some((origin) => {
    const { protocol, hostname, port: its } = new URL(origin);
    return hostname.replace(/[[\]]/g, "") === host && (its || (protocol === "https:" ? "443" : "80")) === port;
  });
  if (!named) {
    refuse(request.url);
    return client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  }
  const onward = net.connect(+port, host, () => {
    client.write("HTTP/1.1 200 OK\r\n\r\n");
    onward.write(head);
    onward.pipe(client).pipe(onward);
  });
  onward.on("error", () => client.destroy());
  client.on("close", () => onward.destroy());
});

// The preload as one script. What it calls itself in requests is the value of an expression.
const DOCUMENT = 'crypto.getRandomValues(new Uint32Array(2)).join("-")';
function script(name) {
  const files = PRELOAD.map((name) => `${JSON.stringify("./" + name)}:(module,require,LINK)=>{${fs.readFileSync(path.join(__dirname, name))}\n}`);
  const address = `http://127.0.0.1:${server.address().port}/${token}/`;
  return `(() => {
    const files = {${files.join(",")}};
    const LINK = { address: ${JSON.stringify(address)} + ${name} + "/",
      end: "${token}-end", broken: "${token}-broken" };
    const made = {};
    const require = (name) => {
      if (made[name] === undefined) { made[name] = { exports: {} }; files[name](made[name], require, LINK); }
      return made[name].exports;
    };
    require("./page.cjs");
  })()`;
}

// What a browser is told of this process, and tells it.
const place = {
  LISTED, START, job, say, shown, want, workers, script, DOCUMENT,
  port: () => server.address().port,
  within: (period, promise) => Promise.race([promise, sleep(period).then(() => undefined)]),
  fail: setupFailed,
  // Nobody can ask for anything where the recorded module was.
  async gone(why) {
    if (ended || owner === null) return;
    ended = true;
    await message({ Cut: why });
    await message("End");
  },
  isRecorded: (name) => name === owner,
};

function start() {
  profile = fs.mkdtempSync(path.join(__dirname, "profile-"));
  try {
    job.origins = job.origins.map((origin) => new URL(origin).origin);
  } catch (error) {
    return setupFailed(`an origin is no address: ${shown(error.input)}`);
  }
  const found = (name) => (process.env.PATH ?? "").split(":").some((folder) => fs.existsSync(path.join(folder, name)));
  const program = job.chromium ?? BROWSERS.find(found);
  if (program === undefined) return setupFailed(`there is no browser: none of ${BROWSERS.join(", ")} is on PATH; --chromium names one`);
  const version = spawnSync(program, ["--version"], { encoding: "utf8", timeout: START }).stdout ?? "";
  const { Shown } = require(/firefox/i.test(version) ? "./firefox.cjs" : "./chromium.cjs");
  const { flags, stdio } = Shown.command(profile, place);
  browser = spawn(program, flags, { stdio });
  browser.on("error", (error) => setupFailed(`the browser ${program} could not be started: ${error.message}`));
  browser.on("exit", () => leave(1));
  return run(new Shown(browser, place));
}

async function run(browsed) {
  const { within } = place;
  const about = await within(START, browsed.open());
  if (about === undefined) return setupFailed("the browser did not answer within a minute");
  if (about.failed !== undefined) return setupFailed(about.failed);
  await message({ Hello: {
    protocol: 2, spec: about.spec, name: about.name, version: about.version, mode: "tiering", compiler: "tiering",
    opt_level: "default", target: process.arch, cpu_features: [],
    settings: [["browser", about.product], ["last events", "lost in a crash"]],
  } });
  // A page that never ends does not answer this.
  browsed.navigate(job.url ?? `http://127.0.0.1:${server.address().port}/${encodeURIComponent(job.file)}`).then((failed) => {
    if (failed !== undefined) setupFailed(`the page could not be loaded: ${shown(failed)}`);
  });
  const over = Date.now() + job.seconds * 1000;
  let met = false;
  // A worker may be over before its page.
  while (Date.now() < over && !(ended && !workers.has(owner)) && !met) {
    await sleep(Math.min(PERIOD, over - Date.now()));
    if (job.until === undefined) continue;
    met = (await within(over - Date.now(), browsed.evaluate(`Boolean(${job.until}\n)`, null))) === true;
  }
  if (job.until !== undefined && !met) say(`the page did not become what --until asks for within ${job.seconds} s`);
  // Ends the recording in its page or worker. `until` when: what has not heard of it by then is stopped in the middle of something.
  const end = (name, until) => {
    const expression = `Date.now() < ${until} && dispatchEvent(new Event("${token}-${name}")), true`;
    return within(ANSWER, browsed.evaluate(expression, owner));
  };
  if (!ended && (await end("end", Date.now() + ANSWER)) === undefined && !ended) {
    const what = workers.has(owner) ? "worker" : "page";
    say(`the ${what} does not come to an end, and is stopped`);
    if (await within(ANSWER, browsed.stop(owner))) await end("broken", Infinity);
    else await place.gone(`the ${what} ran the module when its time was over`);
  }
  if (job.screenshot !== undefined) {
    const data = await within(ANSWER, browsed.draw());
    if (data === undefined) say("the page could not be drawn");
    else fs.writeFileSync(job.screenshot, Buffer.from(data, "base64"));
  }
  for (const worker of browsed.others) say(`modules in this worker were not looked at: ${shown(worker)}`);
  const listed = [...refused].filter(([host]) => wanted.has(host));
  for (const [host, times] of listed.slice(0, LISTED)) {
    say(`${times} request(s) to ${shown(host)} were refused: --allow-origin allows them`);
  }
  if (listed.length > LISTED) say(`and requests to ${listed.length - LISTED} other hosts`);
  browser.removeAllListeners("exit");
  recorder.end(() => leave(0));
}

server.listen(0, "127.0.0.1", start);
