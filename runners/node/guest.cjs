// The recorded instance of a program that lives in JavaScript. Control passes between the guest and JavaScript when the
// guest calls an import or returns, and when JavaScript calls the guest or returns to it. Whenever the guest gets control,
// the recorder is told what JavaScript has changed meanwhile: nobody can intercept its writes through typed arrays, so
// memory is compared with a copy that was made when JavaScript got control.

"use strict";

const { shim } = require("./module.cjs");
const { trapOf } = require("./traps.cjs");
const { Watched } = require("./watched.cjs");

// The number of the first instruction among the sites.
const FIRST_SITE = 8;

const { Global } = WebAssembly;
const valueOf = Object.getOwnPropertyDescriptor(Global.prototype, "value").get;

class Guest {
  // `module` is the rewritten one.
  constructor(wire, { plan, rewritten }, { refuse, system }) {
    this.refuse = refuse;
    this.system = system;
    this.wire = wire;
    this.plan = plan;
    this.module = rewritten;
    this.memories = [];
    this.globals = [];
    // What is given for its imported globals.
    this.given = [];
    this.givenTables = [];
    // By raw function: what JavaScript gets instead, and by that the raw function's number.
    this.shown = new WeakMap();
    this.raw = new WeakMap();
    // Functions of other modules in its tables: what stands for them there, and the other way round.
    this.foreigns = new WeakMap();
    this.originals = new WeakMap();
    this.foreignCount = 0;
    // Which imports wait for JavaScript, innermost last; null for a call of the guest by JavaScript.
    this.levels = [];
    this.over = false;
    // Whether the recording ends before the program does, and why.
    this.lost = null;
    // Whether the recorder is just told something: it may be asked to end meanwhile.
    this.telling = false;
    this.thrown = null;
    this.blind = new Set(plan.blind);
    const { sites } = plan;
    this.hook = (site, first, second, third) => {
      wire.event(site, first, second, third);
      const written = sites[site - FIRST_SITE];
      if (written === null || written === undefined) return;
      const [memory, offset, width] = written;
      // Of an instruction on many bytes their number is the last operand.
      this.memories[memory].wrote(Number(first) + offset, width === 0 ? Number(third) : width);
    };
  }

  // The guest gives control to JavaScript.
  yields() {
    this.memories.forEach((memory) => memory.keep());
    for (const global of this.globals) global.value = global.global.value;
  }

  // JavaScript gives control to the guest: what has it changed?
  resumes() {
    this.tellChanges();
    this.tellGlobals();
  }

  tellChanges() {
    const { wire } = this;
    this.memories.forEach((memory, number) => {
      const before = memory.copy.length;
      memory.fit();
      if (memory.copy.length > before) wire.grew(number, (memory.copy.length - before) / 65536, before / 65536);
      memory.changes((start, end) => wire.wrote(number, start, memory.bytes.subarray(start, end)));
    });
  }

  tellGlobals() {
    const { wire } = this;
    for (const { index, type, value, global } of this.globals) {
      if (!Object.is(global.value, value)) wire.setGlobal(index, global.value, type);
    }
  }

  // What the guest imports instead of a function.
  imported(number, called) {
    const described = this.plan.imports[number];
    described.number = number;
    return this.answered(called, described);
  }

  // What a table of the guest gets instead of a function of another module.
  foreign(called, { parameters, results }) {
    const known = this.foreigns.get(called);
    if (known !== undefined) return known;
    const described = { import: null, number: null, parameters, results };
    described.shown = shim(this.answered(called, described), described);
    this.foreigns.set(called, described);
    this.originals.set(described.shown, called);
    return described;
  }

  // It is in a table. Such functions are counted behind the imported ones, in the order in which the recorder hears of them.
  putForeign(table, index, described) {
    if (described.number === null) {
      const place = this.foreignCount++;
      described.number = this.plan.imports.length + place;
      described.import = { module: "javascript", name: String(place) };
    }
    this.wire.setFunction(table, index, described);
  }

  // A function that JavaScript answers.
  answered(called, described) {
    const { results } = described;
    return (...values) => {
      if (this.over) return Reflect.apply(called, undefined, values);
      this.books(() => {
        this.yields();
        this.wire.call(described.number, described, values);
        this.levels.push(described);
      });
      let returned;
      try {
        returned = converted(Reflect.apply(called, undefined, values), results);
      } catch (error) {
        if (this.plan.catches) {
          this.refuse(`the import ${described.import.module}.${described.import.name} threw, and the module can catch exceptions: that cannot be recorded yet`);
        }
        this.ends(() => this.wire.threw(described, words(error)));
        this.thrown = { error };
        throw error;
      }
      this.ends(() => this.wire.returned(described, returned));
      return results.length === 0 ? undefined : results.length === 1 ? returned[0] : returned;
    };
  }

  ends(told) {
    if (this.over) return;
    this.books(() => {
      this.resumes();
      this.levels.pop();
      told();
    });
  }

  // Does what the recorder needs. Deep in a recursion there may be no stack left for it: the program gets that error, as it
  // would a little later, and the recording ends here.
  books(action) {
    this.telling = true;
    try {
      return action();
    } catch (error) {
      this.over = true;
      this.lost = error;
      throw error;
    } finally {
      this.telling = false;
    }
  }

  // What JavaScript gets instead of a function of the guest.
  function(raw) {
    if (typeof raw !== "function") return raw;
    const known = this.shown.get(raw);
    if (known !== undefined) return known;
    const index = Number(raw.name);
    const number = index < this.plan.imports.length ? index : index - this.plan.shift;
    const described = this.plan.functions[number];
    if (described === undefined) return raw;
    // As in the original module, in which the hook is not counted.
    Object.defineProperty(raw, "name", { value: String(number), configurable: true });
    const shown = new Proxy(raw, { apply: (_, self, values) => this.call(number, described, raw, values) });
    this.shown.set(raw, shown);
    this.raw.set(shown, { raw, number });
    return shown;
  }

  // JavaScript calls a function of the guest.
  call(number, described, raw, values) {
    if (this.over) return raw(...values);
    const converted = described.parameters.map((type, i) => toWasm(values[i], type));
    if (this.over) return raw(...converted);
    // A function that neither reads nor writes memory, like those of a stack pointer, may run before it is known what
    // JavaScript has changed there.
    this.books(() => (this.blind.has(number) ? this.tellGlobals() : this.resumes()));
    return this.enter(number, described, converted, () => raw(...converted));
  }

  enter(number, described, values, run, name) {
    const { wire } = this;
    const outermost = this.levels.length === 0;
    this.books(() => {
      wire.enter(number, described, values);
      if (outermost) {
        const list = values.map((value, i) => wire.json(value, described.parameters[i]));
        wire.message(`{"Invoke":{"function":${name ?? number},"arguments":[${list}]}}`);
      }
      this.levels.push(null);
    });
    this.thrown = null;
    let returned;
    try {
      returned = run();
    } catch (error) {
      if (this.over) throw error;
      this.books(() => {
        const trap = this.thrown !== null && this.thrown.error === error ? trapOf(null) : trapOf(error, this.module);
        this.thrown = null;
        this.levels.pop();
        this.yields();
        if (outermost) wire.message(JSON.stringify({ Trapped: trap.told }));
        wire.trapped(number, trap.number);
      });
      throw error;
    }
    if (this.over) return returned;
    const { results } = described;
    const list = results.length === 0 ? [] : results.length === 1 ? [returned] : returned;
    this.books(() => {
      this.levels.pop();
      this.yields();
      if (outermost) wire.message(`{"Returned":[${results.map((type, i) => wire.json(list[i], type))}]}`);
      wire.left(number, described, list);
    });
    return returned;
  }

  // The instance exists, and its start function has not run.
  begin(exports, standIn) {
    const { plan, wire } = this;
    this.memories = plan.memories.map((name) => new Watched(exports[name], this.system));
    if (this.given.length + plan.given_tables.length > 0) {
      const globals = this.given.map((value, i) => {
        const type = plan.given_globals[i];
        return this.wire.json(toWasm(value instanceof Global ? valueOf.call(value) : value, type), type);
      });
      const tables = plan.given_tables.map((name) => exports[name].length);
      wire.message(`{"Given":{"globals":[${globals}],"tables":${JSON.stringify(tables)}}}`);
    }
    this.memories.forEach((memory, number) => wire.image(number, memory));
    wire.message('"Instantiated"');
    this.globals = plan.set_globals.map(({ index, export: name, type }) => ({ index, type, global: exports[name] }));
    this.exports = exports;
    this.memories.forEach((memory) => memory.keepAll());
    this.yields();
    standIn();
    if (plan.start !== null) {
      const described = plan.functions[plan.start];
      this.enter(plan.start, described, [], () => exports[plan.start_export](), "null");
    }
  }

  // Whether the recording has ended already: then it says why.
  isLost() {
    if (this.lost === null) return this.over;
    const why = String(this.lost?.message ?? this.lost);
    this.lost = null;
    this.wire.cut(`the recording ends before the program does: deep in its calls, the recorder's part of them failed: ${why}`);
    return true;
  }

  // The recording is to end wherever the program is; `broken` if it was stopped in the middle of something.
  stop(why, broken) {
    if (this.levels.length === 0 && !broken && !this.telling) return this.end(0);
    if (this.isLost()) return;
    this.over = true;
    this.wire.cut(why);
  }

  // The program is over.
  end(code) {
    const { wire, plan, exports } = this;
    if (this.isLost()) return;
    this.resumes();
    const waiting = this.levels.filter((level) => level !== null);
    if (this.levels.length > 0) {
      const innermost = waiting[waiting.length - 1];
      if (innermost !== undefined) wire.exited(innermost, code);
      wire.message(`{"Exited":${code | 0}}`);
    }
    this.over = true;
    this.memories.forEach((memory, number) => wire.image(number, memory));
    const globals = plan.globals.map(({ export: name, type }) => wire.json(exports[name].value, type));
    const tables = plan.tables.map((name) => exports[name].length);
    wire.message(`{"State":{"globals":[${globals}],"tables":${JSON.stringify(tables)}}}`);
    wire.message('"End"');
  }
}

// As the interface of JavaScript converts a value for the guest.
function toWasm(value, type) {
  switch (type) {
    case "I32":
      return +value | 0;
    case "I64":
      return BigInt.asIntN(64, value);
    case "F32":
      return Math.fround(value);
    case "Extern":
      return value;
    default:
      return +value;
  }
}

// The results of an import, converted as the guest gets them.
function converted(returned, types) {
  if (types.length === 0) return [];
  if (types.length === 1) return [toWasm(returned, types[0])];
  const list = [...returned];
  if (list.length !== types.length) throw new TypeError("multi-return length mismatch");
  return types.map((type, i) => toWasm(list[i], type));
}

// What an import threw, in words: it may be anything.
function words(error) {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, 1000);
  } catch {
    return "an exception";
  }
}

module.exports = { Guest };
