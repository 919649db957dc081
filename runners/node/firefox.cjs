// How Firefox is told what to do: through a socket, in WebDriver BiDi (w3c.github.io/webdriver-bidi). It has no way to put
// anything into workers before their own scripts, nor to end what runs in a page.

"use strict";

const fs = require("fs");
const path = require("path");
const { isMainThread, parentPort, Worker, workerData } = require("worker_threads");

/* global WebSocket */

// Node 20 has sockets of this kind where it is asked for them, which a thread can.
const SOCKETS = "--experimental-websocket";

// What a profile says: all that goes out goes through the proxy, loopback too, and policies for content do not hold.
const SETTINGS = (port) => ({
  "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": port,
  "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": port, "network.proxy.no_proxies_on": "",
  "network.proxy.allow_hijacking_localhost": true, "network.proxy.failover_direct": false, "network.dns.disablePrefetch": true,
  "network.prefetch-next": false, "network.http.http3.enable": false, "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false, "media.peerconnection.enabled": false, "security.csp.enable": false,
  "dom.max_script_run_time": 0, "app.update.enabled": false, "browser.safebrowsing.downloads.remote.enabled": false,
  "browser.startup.page": 0, "browser.startup.homepage_override.mstone": "ignore", "browser.newtabpage.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false, "toolkit.telemetry.server": "", "extensions.update.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1",
});

// A page in it. `place` is what browser.cjs has.
class Shown {
  static command(profile, { port }) {
    const lines = Object.entries(SETTINGS(port())).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    fs.writeFileSync(path.join(profile, "user.js"), lines.join("\n"));
    const flags = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank"];
    return { flags, stdio: ["ignore", "ignore", "pipe"] };
  }

  constructor(browser, place) {
    this.place = place;
    this.calls = new Map();
    this.last = 0;
    this.errors = 0;
    // Workers that cannot be recorded.
    this.others = new Set();
    this.socket = null;
    this.address = new Promise((resolve) => {
      let said = "";
      browser.stderr.on("data", (bytes) => {
        said = (said + bytes).slice(-10000);
        const address = /BiDi listening on (ws:\/\/\S+)/.exec(said)?.[1];
        if (address !== undefined) resolve(`${address}/session`);
      });
    });
  }

  call(method, params = {}) {
    return new Promise((resolve) => {
      this.calls.set(++this.last, resolve);
      this.socket.postMessage(JSON.stringify({ id: this.last, method, params }));
    });
  }

  hear({ id, result, error, message, method, params }) {
    if (id !== undefined && id !== null) {
      this.calls.get(id)?.(error === undefined ? result : { failed: message ?? error });
      this.calls.delete(id);
      return;
    }
    const { LISTED, say, shown, want } = this.place;
    if (method === "network.beforeRequestSent") want(params.request.url);
    if (method === "script.realmCreated" && /worker/.test(params.type) && this.others.size < LISTED) this.others.add(params.type);
    if (method === "log.entryAdded" && params.type === "javascript" && params.level === "error" && this.errors++ < LISTED) {
      say(`the page threw ${shown(params.text)}`);
    }
  }

  // Prepares a page; answers with what browser it is, or why it cannot be told what to do.
  async open() {
    try {
      this.socket = new Worker(__filename, { workerData: await this.address, execArgv: [SOCKETS] });
    } catch {
      return { failed: `Firefox is driven by Node 20.10 or later, and this is ${process.versions.node}` };
    }
    const { fail } = this.place;
    this.socket.on("message", (data) => this.hear(JSON.parse(data)));
    this.socket.on("error", (error) => fail(`the browser cannot be told what to do: ${error.message}`));
    this.socket.unref();
    const { capabilities, failed } = await this.call("session.new", { capabilities: { alwaysMatch: { acceptInsecureCerts: false } } });
    if (failed !== undefined) return { failed: `the browser refuses a session: ${this.place.shown(failed)}` };
    const { contexts } = await this.call("browsingContext.getTree");
    this.context = contexts[0].context;
    await this.call("session.subscribe", { events: ["network.beforeRequestSent", "log.entryAdded", "script.realmCreated"] });
    const { script, DOCUMENT } = this.place;
    await this.call("script.addPreloadScript", { functionDeclaration: `() => { ${script(DOCUMENT)} }` });
    const { browserName, browserVersion } = capabilities;
    return { spec: "firefox", name: "spidermonkey", version: browserVersion, product: `${browserName} ${browserVersion}` };
  }

  // Goes to an address; answers with what went wrong.
  async navigate(url) {
    return (await this.call("browsingContext.navigate", { context: this.context, url, wait: "none" })).failed;
  }

  // The value of an expression in the page.
  async evaluate(expression) {
    const target = { context: this.context };
    const { result } = await this.call("script.evaluate", { expression, target, awaitPromise: false });
    return result?.value ?? null;
  }

  // What runs there cannot be ended.
  async stop() {
    return false;
  }

  // A picture of the page in Base64.
  async draw() {
    return (await this.call("browsingContext.captureScreenshot", { context: this.context })).data;
  }
}

if (isMainThread) {
  module.exports = { Shown };
} else {
  // The thread with the socket.
  const socket = new WebSocket(workerData);
  const opened = new Promise((resolve) => (socket.onopen = resolve));
  socket.onmessage = ({ data }) => parentPort.postMessage(data);
  socket.onerror = () => {
    throw new Error("its socket failed");
  };
  parentPort.on("message", (data) => opened.then(() => socket.send(data)));
}
