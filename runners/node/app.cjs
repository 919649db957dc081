// What stands behind `WebAssembly` in each thread of a program in Node: behind.cjs has what it does, this has how Node is asked
// and told.

"use strict";

const fs = require("fs");
const path = require("path");
const { isMainThread, threadId } = require("worker_threads");
const { standBehind } = require("./behind.cjs");
const { Channel } = require("./channel.cjs");
const { isOwn } = require("./own.cjs");
const system = require("./pages.cjs");
const { Threads } = require("./threads.cjs");
const { Wire } = require("./wire.cjs");

// The oldest release of Node with all that is used here, and the oldest one of Bun, by its first two numbers.
const OLDEST = 18;
const OLDEST_BUN = [1, 4];
const { bun } = process.versions;

// Modules that a thread leaves to be listed, and how long they may be, in bytes.
const MOST = 20;
const LONGEST = 1 << 26;

const { socket } = JSON.parse(fs.readFileSync(path.join(__dirname, "link.json")));
const threads = new Threads(socket, Wire.ROOM);
const channel = new Channel(socket, threads.room);
const wire = new Wire(channel);
let modules = 0;
let guest = () => null;

function about() {
  const flags = process.execArgv;
  const mode = flags.includes("--no-liftoff") ? "turbofan" : flags.includes("--no-wasm-tier-up") ? "liftoff" : "tiering";
  const engine = bun
    ? { name: "javascriptcore", version: `of Bun ${bun}`, mode: "jit", compiler: "default" }
    : { name: "v8", version: process.versions.v8, mode, compiler: mode };
  return {
    protocol: 2, spec: "node", ...engine, opt_level: "default", target: process.arch, cpu_features: [],
    settings: [
      bun ? ["bun", bun] : ["node", process.versions.node], ["flags", flags.join(" ")], ["last events", "kept but in a crash"],
    ],
  };
}

// Why this release cannot run the preload, if it cannot.
function tooOld() {
  const [major, minor] = (bun ?? process.versions.node).split(".").map(Number);
  if (bun) {
    const [first, second] = OLDEST_BUN;
    const old = major < first || (major === first && minor < second);
    return old && `Bun ${bun} cannot run the preload: the oldest release that works is ${first}.${second}`;
  }
  return major < OLDEST && `Node ${process.versions.node} cannot run the preload: the oldest release that works is ${OLDEST}`;
}

// What cannot be recorded ends the recording, and with it the program.
function refuse(why) {
  wire.message(JSON.stringify({ Failed: why }));
  process.kill(process.pid, "SIGKILL");
}

// Leaves a module where the recorder finds it, with the number of the thread in its name.
function leave(bytes) {
  const file = `module-${threadId}-${modules++}.wasm`;
  fs.writeFileSync(path.join(__dirname, file), bytes);
  return file;
}

// Asks what is to be done with a module.
function asked(bytes) {
  const answer = threads.ask(() => {
    wire.message(JSON.stringify({ Module: leave(bytes) }));
    const { Record: name } = channel.order();
    if (name === undefined) return null;
    const plan = JSON.parse(fs.readFileSync(path.join(__dirname, name)));
    return { plan, rewritten: fs.readFileSync(path.join(__dirname, plan.module)) };
  });
  // Another thread's is recorded: this one is listed.
  if (answer === undefined && modules < MOST && bytes.length <= LONGEST) {
    try {
      leave(bytes);
    } catch {
      // The program is over, and the recorder with it.
    }
  }
  return answer ?? null;
}

// Ends the recording, which may be of another thread.
function end(code) {
  if (guest() !== null && !threads.isElsewhere) {
    guest().end(code);
    threads.over();
  } else if (isMainThread) {
    threads.endElsewhere("the program ended while another thread of it ran the module");
  }
}

// The program is over after its own handlers of `exit`.
function listenForTheEnd() {
  const emit = process.emit;
  process.emit = function (name, ...values) {
    const result = Reflect.apply(emit, this, [name, ...values]);
    if (name === "exit" && this === process) end(process.exitCode ?? values[0] ?? 0);
    return result;
  };
  // Bun emits this unseen: its program's own handlers come later.
  if (bun) process.on("exit", (code) => end(code ?? 0));
  threads.watch();
  const { abort, kill, reallyExit } = process;
  // What another thread has appended stays where it is.
  const send = () => (threads.isHere ? wire.send() : channel.drain(false));
  process.kill = (id, signal) => {
    if (id === process.pid) send();
    return kill.call(process, id, signal);
  };
  if (!isMainThread) return;
  process.abort = () => {
    send();
    return abort.call(process);
  };
  process.reallyExit = (code) => {
    end(code ?? 0);
    return reallyExit.call(process, code);
  };
}

if (isMainThread) {
  const why = tooOld();
  if (why) refuse(why);
  // Programs that this one starts are not recorded.
  const own = process.execArgv.indexOf("--require");
  if (own >= 0) process.execArgv.splice(own, 2);
  wire.message(JSON.stringify({ Hello: about() }));
}
const help = () => {
  channel.help();
  threads.listen(() => end(0));
};
guest = standBehind({ wire, system, refuse, isOwn, asked, help });
listenForTheEnd();
