// V8 as an engine: node [V8's flags] runners/node/runner.mjs, followed by the recorder's arguments.
//
// --liftoff --no-wasm-tier-up: the baseline compiler only. --no-liftoff: the optimizing one only. Neither: V8 uses
// both. Memory is shown at the beginning and at the end, and watched bytes after every event; there are no
// checkpoints.

import fs from "fs";
import v8 from "v8";
import { answered, between, Exited, HostTrap, Stopped } from "./host.mjs";
import { fromEngine, Hooks, parse, Recorder, toEngine, VERSION } from "./protocol.mjs";
import * as program from "./program.mjs";
import * as wasi from "./wasi.mjs";
import { createRequire } from "module";

const require = createRequire(import.meta.url);
const { describe, shim } = require("./module.cjs");
const { frames, trap } = require("./traps.cjs");

const BUN = process.versions.bun;

// Bun has WebKit's engine with Node's interface, and reports a V8 version that it only imitates.
function about(job, host) {
  const flags = process.execArgv;
  const has = (flag) => flags.includes(flag);
  const mode = has("--no-liftoff") ? "turbofan" : has("--no-wasm-tier-up") ? "liftoff" : "tiering";
  const engine = BUN
    ? { name: "javascriptcore", version: `of Bun ${BUN}`, mode: "jit", compiler: "default" }
    : { name: "v8", version: process.versions.v8, mode, compiler: mode };
  const program = BUN ? [["bun", BUN], ["webkit", String(process.versions.webkit)]] : [["node", process.versions.node]];
  return {
    protocol: VERSION,
    spec: `runner:${job.engine?.Runner?.command ?? ""}`,
    ...engine,
    opt_level: "default",
    target: process.arch,
    cpu_features: [],
    settings: [
      ...program,
      ["flags", flags.join(" ")],
      ["programs", "yes"],
      ["javascript", "yes"],
      ["last events", job.task.Run.careful ? "kept" : "kept but in a crash"],
      ...(host.name ? [["host", host.name]] : []),
      ...(host.lacks ? [["no host", host.lacks]] : []),
    ],
  };
}

// The trap behind an error of a call; `undefined` if it is not a trap but a fault of this program.
function trapOf(error) {
  return error instanceof HostTrap ? "HostError" : trap(error);
}

// How a call that did not return ended.
function failure(error) {
  if (error instanceof Exited) return { Exited: Number(error.message) };
  if (error instanceof Stopped) return "Stopped";
  const name = trapOf(error);
  if (name === undefined) throw error;
  // An exception of the guest has no message.
  const message = name === "UncaughtException" ? "uncaught exception" : String(error?.message ?? error);
  return { Trapped: { trap: name, message, frames: frames(error) } };
}

// The error of something that fails.
function failureOf(action) {
  try {
    action();
  } catch (error) {
    return error;
  }
  return new Error("WebAssembly.validate says no, and the compiler gives no reason");
}

// The module's imports: the hook, memories, and functions that the recorder answers or has `host` answer. Memories
// are kept in `imported`.
function provide(imports, recorder, hooks, guest, host, imported, enter) {
  const provided = {};
  let functions = 0;
  for (const { module, name, kind, type, memory } of imports) {
    provided[module] = provided[module] ?? {};
    if (kind === 2) {
      provided[module][name] = new WebAssembly.Memory(memory);
      imported.push(provided[module][name]);
    } else if (module === "forkpoint" && name === "event") {
      provided[module][name] = (...operands) => hooks.event(...operands);
    } else {
      const own = module === wasi.MODULE ? host?.wasiImport[name] : undefined;
      if (host && module === wasi.MODULE && own === undefined) {
        throw new WebAssembly.LinkError(`node:wasi has no function ${name}`);
      }
      provided[module][name] = answered(functions++, type, recorder, hooks, guest, own, enter);
    }
  }
  return provided;
}

function run(job, recorder) {
  const setupFailed = (words) => recorder.message(JSON.stringify({ SetupFailed: words }));
  if (job.protocol !== VERSION) {
    return setupFailed(`this runner speaks version ${VERSION} of the runner protocol, and not ${job.protocol}`);
  }
  if (job.features.length > 0) {
    return setupFailed(`V8 takes its features as flags of node, and not from the job: ${job.features.join(" ")}`);
  }
  if (BUN && process.execArgv.some((flag) => /liftoff|wasm-tier-up/.test(flag))) {
    return setupFailed(`Bun ${BUN} has the engine JavaScriptCore, whose compilers are not those of V8: leave out :liftoff or :turbofan`);
  }
  if (BUN && job.memory_page_limit !== null) return setupFailed(`Bun ${BUN} has no limit for memories`);
  const { Run: task } = job.task;
  const found = task.live_host ? wasi.find() : {};
  recorder.message(JSON.stringify({ Hello: about(job, found) }));
  let host;
  try {
    if (found.WASI) host = wasi.open(found, task.wasi);
  } catch (error) {
    if (error instanceof wasi.Refused) return setupFailed(error.message);
    throw error;
  }
  if (job.memory_page_limit !== null) v8.setFlagsFromString(`--wasm-max-mem-pages=${job.memory_page_limit}`);
  if (task.script) return program.run(job, recorder, { failure, failureOf });
  const bytes = fs.readFileSync(job.module);
  const rejected = (stage, { message }) => {
    const offset = /@\+(\d+)/.exec(message)?.[1];
    const place = { offset: offset === undefined ? null : +offset, code: null };
    recorder.message(JSON.stringify({ Rejected: { stage, message, ...place } }));
  };
  const original = fs.readFileSync(job.original);
  if (!WebAssembly.validate(original)) {
    // Only the compiler gives the reason.
    return rejected("validate", failureOf(() => new WebAssembly.Module(original)));
  }
  recorder.message('{"Accepted":"validate"}');
  let module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    return rejected("compile", error);
  }
  recorder.message('{"Accepted":"compile"}');
  if (task.stages_only) return recorder.message('"End"');
  const described = describe(bytes);
  const records = described.imports.some(({ module, name }) => module === "forkpoint" && name === "event");
  const hooks = new Hooks(recorder, { careful: task.careful, records });
  let instance;
  let memories = [];
  // A function of the host's own, which the recorder answers, too: its number and its type are in words.
  const own = ({ Reference: words }) => {
    const [, number, parameters, results] = /^function (\d+) ([if0-9,]*):([if0-9,]*)$/.exec(words) ?? [];
    if (number === undefined) return undefined;
    const types = (list) => list.split(",").filter((type) => type !== "").map((type) => type.toUpperCase());
    const type = { parameters: types(parameters), results: types(results) };
    return shim(answered(+number, type, recorder, hooks, () => memories, undefined, enter), type);
  };
  // Calls an export while the guest waits for its host; how that ended, in the recorder's JSON.
  const enter = ({ function: name, arguments: values }) => {
    try {
      const returned = instance.exports[name](...values.map((value) => own(value) ?? toEngine(value)));
      const types = described.functions.get(name).results;
      const results = types.length === 0 ? [] : types.length === 1 ? [returned] : [...returned];
      return `{"Returned":[${results.map((value, i) => fromEngine(value, types[i]))}]}`;
    } catch (error) {
      // Then the whole run ends.
      if (error instanceof Exited || error instanceof Stopped) throw error;
      const name = trapOf(error);
      if (name === undefined) throw error;
      return JSON.stringify({ Trapped: name });
    }
  };
  const images = () => memories.forEach((memory, i) => recorder.image(i, memory));
  try {
    const provided = provide(described.imports, recorder, hooks, () => memories, host, memories, enter);
    instance = new WebAssembly.Instance(module, provided);
  } catch (error) {
    // Segments before the one that does not fit have been copied by then.
    images();
    return rejected("instantiate", error);
  }
  memories = task.memories.map((name) => instance.exports[name]);
  if (host && task.wasi_memory !== null) wasi.lend(host, memories[task.wasi_memory]);
  images();
  recorder.message('"Instantiated"');
  if (task.watch !== null) hooks.watch(task.watch, memories);
  const start = task.has_start ? [[null, { function: "forkpoint:start", arguments: [] }]] : [];
  // Does what a host that lives in JavaScript does between calls; false if the run ends there.
  const betweenCalls = () => {
    if (!task.javascript) return true;
    try {
      between(recorder, hooks, memories, enter);
      return true;
    } catch (error) {
      if (error instanceof HostTrap) throw new Error(error.message);
      if (!(error instanceof Stopped)) throw error;
      recorder.message('"Stopped"');
      return false;
    }
  };
  let goes = true;
  for (const [number, call] of [...start, ...task.calls.entries()]) {
    goes = betweenCalls();
    if (!goes) break;
    recorder.message(JSON.stringify({ Call: number }));
    let ended;
    try {
      const values = instance.exports[call.function](...call.arguments.map(toEngine));
      const types = described.functions.get(call.function).results;
      const results = types.length === 0 ? [] : types.length === 1 ? [values] : [...values];
      ended = `{"Returned":[${results.map((value, i) => fromEngine(value, types[i]))}]}`;
    } catch (error) {
      const cannot = error instanceof TypeError && /v128|V128/.test(error.message);
      ended = JSON.stringify(cannot ? { SetupFailed: error.message } : failure(error));
    }
    hooks.send();
    recorder.message(ended);
    if (ended.startsWith('{"SetupFailed"')) return;
    const over = ended.startsWith('{"Exited"') || ended === '"Stopped"';
    goes = !(over || (number === null && !ended.startsWith('{"Returned"')));
    if (!goes) break;
  }
  if (goes) betweenCalls();
  images();
  const globals = task.globals.map((name) => fromEngine(instance.exports[name].value, described.globals.get(name)));
  const tables = task.tables.map((name) => Number(instance.exports[name].length));
  recorder.message(`{"State":{"globals":[${globals}],"tables":${JSON.stringify(tables)}}}`);
  recorder.message('"End"');
}

const [, jobPath, socket] = process.argv.slice(2);
const recorder = new Recorder(+socket);
try {
  run(parse(fs.readFileSync(jobPath, "utf8")), recorder);
} catch (error) {
  // A fault of this program or of the job, and not of the engine.
  recorder.message(JSON.stringify({ Failed: String((error && error.stack) || error) }));
}
