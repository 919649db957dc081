// How Chromium, or Chrome, is told what to do: through a pipe, in the Chrome DevTools Protocol.

"use strict";

// Whatever is attached to a page waits until it is told to go on.
const ATTACH = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true };

// A page in it. `place` is what browser.cjs has.
class Shown {
  static command(profile, { port, say }) {
    const flags = [
      "--headless", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "--no-first-run", "--mute-audio", "--disable-gpu",
      "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
      "--disable-extensions", `--proxy-server=http://127.0.0.1:${port()}`, "--proxy-bypass-list=<-loopback>",
      "--force-webrtc-ip-handling-policy=disable_non_proxied_udp", "--disable-quic", "--disable-dev-shm-usage",
      "--disable-features=LocalNetworkAccessChecks", "--enable-features=WebAssemblyUnlimitedSyncCompilation",
    ];
    if (process.getuid?.() === 0) {
      say("the browser runs without its sandbox, since root has none");
      flags.push("--no-sandbox");
    }
    return { flags: [...flags, "about:blank"], stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] };
  }

  constructor(browser, place) {
    this.place = place;
    this.calls = new Map();
    this.last = 0;
    this.errors = 0;
    // Workers that cannot be recorded.
    this.others = new Set();
    const [, , , input, output] = browser.stdio;
    this.input = input;
    input.on("error", () => {});
    // JSON, each message with a zero behind it.
    let parts = [];
    output.on("data", (bytes) => {
      for (let end; (end = bytes.indexOf(0)) >= 0; bytes = bytes.subarray(end + 1)) {
        this.hear(JSON.parse(Buffer.concat([...parts, bytes.subarray(0, end)]).toString()));
        parts = [];
      }
      if (bytes.length > 0) parts.push(bytes);
    });
  }

  call(method, params = {}, sessionId = undefined) {
    return new Promise((resolve) => {
      this.calls.set(++this.last, resolve);
      this.input.write(`${JSON.stringify({ id: this.last, method, params, sessionId })}\0`);
    });
  }

  hear({ id, result, error, method, params }) {
    if (id !== undefined) {
      this.calls.get(id)?.(error === undefined ? result : { failed: error.message });
      this.calls.delete(id);
      return;
    }
    const { LISTED, fail, gone, isRecorded, say, shown, want, workers } = this.place;
    const { targetInfo, exceptionDetails, request, url, sessionId } = params;
    if (method === "Network.requestWillBeSent" || method === "Network.webSocketCreated") want(request?.url ?? url);
    if (method === "Target.attachedToTarget") this.attached(sessionId, targetInfo);
    if (method === "Target.detachedFromTarget") {
      const [name] = [...workers].find(([, session]) => session === sessionId) ?? [];
      if (name !== undefined && isRecorded(name)) gone("the worker that ran the module was ended");
    }
    if (method === "Runtime.exceptionThrown" && this.errors++ < LISTED) {
      say(`the page threw ${shown(exceptionDetails.exception?.description ?? exceptionDetails.text)}`);
    }
    if (method === "Inspector.targetCrashed") fail("the page crashed");
  }

  // A worker gets the preload before its own script.
  async attached(session, { type, url }) {
    const { LISTED, script, workers } = this.place;
    const call = (method, params) => this.call(method, params, session);
    if (type === "worker") {
      const name = `worker-${workers.size}`;
      workers.set(name, session);
      call("Network.enable", { maxPostDataSize: 0 });
      call("Runtime.enable");
      call("Target.setAutoAttach", ATTACH);
      const { exceptionDetails, failed } = await call("Runtime.evaluate", { expression: script(JSON.stringify(name)) });
      if (exceptionDetails ?? failed) this.others.add(url);
    } else if (/worker/.test(type) && this.others.size < LISTED) {
      this.others.add(url);
    }
    call("Runtime.runIfWaitingForDebugger");
  }

  // Prepares a page; answers with what browser it is.
  async open() {
    const { script, DOCUMENT } = this.place;
    const { jsVersion, product } = await this.call("Browser.getVersion");
    const { targetInfos } = await this.call("Target.getTargets");
    const { targetId } = targetInfos.find(({ type }) => type === "page");
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    this.session = sessionId;
    const page = (method, params) => this.call(method, params, sessionId);
    await page("Network.enable", { maxPostDataSize: 0 });
    await page("Page.enable");
    await page("Runtime.enable");
    await page("Inspector.enable");
    await page("Target.setAutoAttach", ATTACH);
    await page("Page.setBypassCSP", { enabled: true });
    await page("Page.addScriptToEvaluateOnNewDocument", { source: script(DOCUMENT) });
    return { spec: "node", name: "v8", version: jsVersion, product };
  }

  // Goes to an address; answers with what went wrong.
  async navigate(url) {
    const { errorText, failed } = await this.call("Page.navigate", { url }, this.session);
    return errorText ?? failed;
  }

  sessionOf(name) {
    return this.place.workers.get(name) ?? this.session;
  }

  // The value of an expression in the page, or in the worker of that name.
  async evaluate(expression, name) {
    const { result } = await this.call("Runtime.evaluate", { expression, returnByValue: true }, this.sessionOf(name));
    return result?.value ?? null;
  }

  // Ends what runs there; answers with whether it then listens again.
  async stop(name) {
    await this.call("Runtime.terminateExecution", {}, this.sessionOf(name));
    return true;
  }

  // A picture of the page in Base64.
  async draw() {
    return (await this.call("Page.captureScreenshot", {}, this.session)).data;
  }
}

module.exports = { Shown };
