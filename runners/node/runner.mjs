// V8 as an engine: node [V8's flags] runners/node/runner.mjs, followed by the recorder's arguments.
//
// --liftoff --no-wasm-tier-up: the baseline compiler only. --no-liftoff: the optimizing one only. Neither: V8 uses
// both. Memory is shown at the beginning and at the end, and watched bytes after every event; there are no
// checkpoints.

import fs from "fs";
import v8 from "v8";
import { describe } from "./module.mjs";
import { answered, Exited, HostTrap, Stopped } from "./host.mjs";
import { fromEngine, Hooks, parse, Recorder, toEngine, VERSION } from "./protocol.mjs";
import * as program from "./program.mjs";
import * as wasi from "./wasi.mjs";

const BUN = process.versions.bun;

// Messages of V8, and of JavaScriptCore, about traps.
const TRAPS = [
  [/^unreachable/i, "Unreachable"],
  [/memory access out of bounds|out of bounds memory access|data segment/i, "MemoryOutOfBounds"],
  [/unaligned/, "UnalignedAtomic"],
  [/table index is out of bounds|table (access )?out of bounds|out of bounds (call_indirect|table)|element segment/i, "TableOutOfBounds"],
  // V8 has one message for a null element and a function of another type.
  [/null function or function signature/, "IndirectCall"],
  [/null table entry/, "UndefinedElement"],
  [/function signature mismatch|signature that does not match/, "IndirectCallType"],
  [/divide by zero|remainder by zero|division by zero/i, "IntegerDivideByZero"],
  [/divide result unrepresentable|integer overflow/i, "IntegerOverflow"],
  // Neither distinguishes a NaN from too large a number.
  [/unrepresentable in integer range|out of bounds trunc/i, "Truncation"],
  [/null pointer|null reference|rethrowing null/i, "NullReference"],
  [/array (element )?(index|access) (is )?out of bounds|out of bounds array/i, "ArrayOutOfBounds"],
  [/new array is too large/, "OutOfMemory"],
  [/illegal cast|failed to cast/, "CastFailure"],
];

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
      ["last events", job.task.Run.careful ? "kept" : "kept but in a crash"],
      ...(host.name ? [["host", host.name]] : []),
      ...(host.lacks ? [["no host", host.lacks]] : []),
    ],
  };
}

// The trap behind an error of a call; `undefined` if it is not a trap but a fault of this program.
function trapOf(error) {
  if (error instanceof HostTrap) return "HostError";
  if (error instanceof WebAssembly.RuntimeError) return TRAPS.find(([words]) => words.test(error.message))?.[1] ?? "Other";
  if (error instanceof RangeError && /call stack/i.test(error.message)) return "StackOverflow";
  if (WebAssembly.Exception && error instanceof WebAssembly.Exception) return "UncaughtException";
  return undefined;
}

// How a call that did not return ended.
function failure(error) {
  if (error instanceof Exited) return { Exited: Number(error.message) };
  if (error instanceof Stopped) return "Stopped";
  const trap = trapOf(error);
  if (trap === undefined) throw error;
  const places = [...String(error?.stack ?? "").matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)];
  const frames = places.map(([, index, offset]) => ({ function: +index, offset: parseInt(offset, 16), name: null }));
  // An exception of the guest has no message.
  const message = trap === "UncaughtException" ? "uncaught exception" : String(error?.message ?? error);
  return { Trapped: { trap, message, frames } };
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
function provide(imports, recorder, hooks, guest, host, imported) {
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
      provided[module][name] = answered(functions++, type, recorder, hooks, guest, own);
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
  const images = () => memories.forEach((memory, i) => recorder.image(i, memory));
  try {
    const provided = provide(described.imports, recorder, hooks, () => memories, host, memories);
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
  for (const [number, call] of [...start, ...task.calls.entries()]) {
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
    if (over || (number === null && !ended.startsWith('{"Returned"'))) break;
  }
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
