// Programs of several modules: directives in order, each instance with the exports of earlier ones.

import fs from "fs";
import path from "path";
import { createRequire } from "module";
import { fromEngine, Hooks, toEngine } from "./protocol.mjs";

const { describe } = createRequire(import.meta.url)("./module.cjs");

// A directive's module is refused.
class Refused extends Error {
  constructor(stage, message) {
    super(message);
    this.stage = stage;
  }
}

class Program {
  constructor(job, recorder, { failure, failureOf }) {
    this.folder = path.dirname(job.module);
    this.script = job.task.Run.script;
    this.recorder = recorder;
    this.errors = { failure, failureOf };
    this.hooks = new Hooks(recorder, { careful: job.task.Run.careful, records: true });
    this.hook = (...operands) => this.hooks.event(...operands);
    // By number: exports and their types; null where there is no instance.
    this.instances = [];
    this.memories = [];
  }

  send(message) {
    this.recorder.message(typeof message === "string" ? message : JSON.stringify(message));
  }

  file(name) {
    return fs.readFileSync(path.join(this.folder, name));
  }

  validate(bytes) {
    // Only the compiler gives the reason.
    if (!WebAssembly.validate(bytes)) {
      throw new Refused("validate", this.errors.failureOf(() => new WebAssembly.Module(bytes)).message);
    }
  }

  compile(bytes) {
    try {
      return new WebAssembly.Module(bytes);
    } catch (error) {
      throw new Refused("compile", error.message);
    }
  }

  // One directive; true if the run is over with it.
  directive({ Instantiate, Check, Call, Get }) {
    try {
      if (Instantiate) return this.instantiate(Instantiate.instance);
      if (Check) {
        const bytes = this.file(Check.module);
        this.validate(bytes);
        this.compile(bytes);
        this.send({ Accepted: "compile" });
      } else if (Call) {
        if (this.instances[Call.instance]) return this.call(Call.instance, Call.call, Call.instance);
      } else {
        const instance = this.instances[Get.instance];
        const global = instance?.exports[Get.global];
        if (global) this.send(`{"Returned":[${fromEngine(global.value, instance.types.globals.get(Get.global), true)}]}`);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.send({ Refused: { stage: error.stage, message: error.message } });
    }
    return false;
  }

  instantiate(number) {
    const job = this.script.instances[number];
    const first = this.memories.length;
    // Numbers go on, whatever becomes of it.
    this.instances.push(null);
    this.memories.push(...job.memories.map(() => null));
    this.validate(this.file(job.original));
    const bytes = this.file(job.module);
    const module = this.compile(bytes);
    if (job.stages_only) {
      this.send({ Accepted: "compile" });
      return false;
    }
    let exports;
    try {
      exports = new WebAssembly.Instance(module, this.imports(module, job)).exports;
    } catch (error) {
      if (error instanceof WebAssembly.LinkError || error instanceof TypeError) throw new Refused("instantiate", error.message);
      this.send(this.errors.failure(error));
      return false;
    }
    this.instances[number] = { exports, types: describe(bytes) };
    job.memories.forEach((name, i) => {
      this.memories[first + i] = exports[name];
      this.recorder.image(first + i, exports[name]);
    });
    this.send('"Instantiated"');
    return job.has_start ? this.call(number, { function: "forkpoint:start", arguments: [] }, null) : false;
  }

  imports(module, job) {
    const provided = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      provided[from] = provided[from] ?? {};
      const link = job.imports.find((link) => link.module === from && link.name === name);
      provided[from][name] = from === "forkpoint" ? this.hook : this.instances[link?.instance]?.exports[link.export];
    }
    return provided;
  }

  call(number, { function: name, arguments: values }, shown) {
    this.send({ Call: shown });
    const { exports, types } = this.instances[number];
    let ended;
    try {
      const called = exports[name](...values.map(toEngine));
      const { results } = types.functions.get(name);
      const all = results.length === 0 ? [] : results.length === 1 ? [called] : [...called];
      ended = `{"Returned":[${all.map((value, i) => fromEngine(value, results[i], true))}]}`;
    } catch (error) {
      // JavaScript has no vectors, and no such function at all is another engine's trap, too.
      const cannot = error instanceof TypeError && !(error instanceof WebAssembly.RuntimeError);
      ended = JSON.stringify(
        cannot
          ? { Trapped: { trap: "HostError", message: error.message, frames: [] } }
          : this.withInstance(this.errors.failure(error)),
      );
    }
    this.hooks.send();
    this.send(ended);
    return ended.startsWith('{"Exited"') || ended === '"Stopped"';
  }

  // V8 does not say which instance a frame belongs to.
  withInstance(ended) {
    if (ended.Trapped) ended.Trapped.frames = [];
    return ended;
  }

  end() {
    const none = { buffer: new ArrayBuffer(0) };
    this.memories.forEach((memory, i) => this.recorder.image(i, memory ?? none));
    const [globals, tables] = [[], []];
    this.script.instances.forEach((job, number) => {
      const instance = this.instances[number];
      if (!instance) return;
      globals.push(...job.globals.map((name) => fromEngine(instance.exports[name].value, instance.types.globals.get(name))));
      tables.push(...job.tables.map((name) => Number(instance.exports[name].length)));
    });
    this.send(`{"State":{"globals":[${globals}],"tables":${JSON.stringify(tables)}}}`);
    this.send('"End"');
  }
}

export function run(job, recorder, errors) {
  const program = new Program(job, recorder, errors);
  for (const [number, directive] of program.script.directives.entries()) {
    program.send({ Directive: number });
    if (program.directive(directive)) break;
    program.send('"DirectiveEnd"');
  }
  program.end();
}
