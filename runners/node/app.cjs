// What stands behind `WebAssembly` in a program in Node: behind.cjs has what it does, this has how Node is asked and told.

"use strict";

const fs = require("fs");
const path = require("path");
const { standBehind } = require("./behind.cjs");
const { Channel } = require("./channel.cjs");
const { isOwn } = require("./own.cjs");
const system = require("./pages.cjs");
const { Wire } = require("./wire.cjs");

// The oldest release of Node with all that is used here.
const OLDEST = 18;

const { socket } = JSON.parse(fs.readFileSync(path.join(__dirname, "link.json")));
const channel = new Channel(socket);
const wire = new Wire(channel);
let modules = 0;
let guest = () => null;

function about() {
  const flags = process.execArgv;
  const mode = flags.includes("--no-liftoff") ? "turbofan" : flags.includes("--no-wasm-tier-up") ? "liftoff" : "tiering";
  return {
    protocol: 2, spec: "node", name: "v8", version: process.versions.v8, mode, compiler: mode, opt_level: "default",
    target: process.arch, cpu_features: [],
    settings: [["node", process.versions.node], ["flags", flags.join(" ")], ["last events", "kept but in a crash"]],
  };
}

// What cannot be recorded ends the recording, and with it the program.
function refuse(why) {
  wire.message(JSON.stringify({ Failed: why }));
  process.kill(process.pid, "SIGKILL");
}

// Asks what is to be done with a module.
function asked(bytes) {
  const file = `instantiated-${modules++}.wasm`;
  fs.writeFileSync(path.join(__dirname, file), bytes);
  wire.message(JSON.stringify({ Module: file }));
  const { Record: name } = channel.order();
  if (name === undefined) return null;
  const plan = JSON.parse(fs.readFileSync(path.join(__dirname, name)));
  return { plan, rewritten: fs.readFileSync(path.join(__dirname, plan.module)) };
}

// The program is over after its own handlers of `exit`.
function listenForTheEnd() {
  const emit = process.emit;
  process.emit = function (name, ...values) {
    const result = Reflect.apply(emit, this, [name, ...values]);
    if (name === "exit" && this === process) guest()?.end(process.exitCode ?? values[0] ?? 0);
    return result;
  };
  const { abort, kill, reallyExit } = process;
  process.abort = () => {
    wire.send();
    return abort.call(process);
  };
  process.kill = (id, signal) => {
    if (id === process.pid) wire.send();
    return kill.call(process, id, signal);
  };
  process.reallyExit = (code) => {
    guest()?.end(code ?? 0);
    return reallyExit.call(process, code);
  };
}

if (parseInt(process.versions.node, 10) < OLDEST) {
  refuse(`Node ${process.versions.node} cannot run the preload: the oldest release that works is ${OLDEST}`);
}
// Programs that this one starts are not recorded.
const own = process.execArgv.indexOf("--require");
if (own >= 0) process.execArgv.splice(own, 2);
wire.message(JSON.stringify({ Hello: about() }));
guest = standBehind({ wire, system, refuse, isOwn, asked, help: () => channel.help() });
listenForTheEnd();
