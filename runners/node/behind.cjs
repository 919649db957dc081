// Stands behind `WebAssembly` in a program that lives in JavaScript, in its main thread. The first module that the
// recorder wants is instantiated as the recorder has rewritten it; the program gets the functions of that instance in
// wrappers (guest.cjs), and of everything else the original. app.cjs has what is Node's, page.cjs what is a browser's.

"use strict";

const { Guest } = require("./guest.cjs");
const { describe, NUMBERS } = require("./module.cjs");

const API = WebAssembly;
const { Module, Instance, Table, compile, instantiate, compileStreaming, instantiateStreaming } = API;
const { get: getElement, set: setElement } = Table.prototype;
const exportsOf = Object.getOwnPropertyDescriptor(Instance.prototype, "exports");

// Where the program lives: `wire`, `system`, `refuse(why)`, `isOwn()`, whether the caller is no part of the program, and
// `asked(bytes)`, what the recorder wants to be done with a module.
let place = null;

// The bytes of modules, the exports of the recorded instance, its tables by number.
const sources = new WeakMap();
const shown = new WeakMap();
const tables = new Map();
// And those of JavaScript's own values.
const externs = new Map();
// Functions that other instances export: the bytes of their modules, and their names there.
const others = new WeakMap();
// Modules that the recorder does not want.
const passed = new WeakSet();
let guest = null;

// A copy of the bytes in a BufferSource; `undefined` for what is none, about which V8 complains itself.
function bytesOf(source) {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice();
  // Pages have shared memory only where they ask for it.
  const shared = typeof SharedArrayBuffer === "function" && source instanceof SharedArrayBuffer;
  if (source instanceof ArrayBuffer || shared) return new Uint8Array(source).slice();
  return undefined;
}

function remember(module, bytes) {
  if (bytes !== undefined) sources.set(module, bytes);
  return module;
}

// What the recorder wants to be done with a module: `null` if it is not recorded.
function plan(module) {
  const bytes = sources.get(module);
  if (bytes === undefined || passed.has(module)) return null;
  const found = place.asked(bytes);
  if (found === null) passed.add(module);
  return found;
}

// The imports of a module, with functions in wrappers; everything is read once, in the order of the module.
function wrapped(module, imports, recorded) {
  const mine = {};
  let number = 0;
  const modules = new Map();
  for (const { module: from, name, kind } of Module.imports(module)) {
    if (!modules.has(from)) modules.set(from, imports[from]);
    const namespace = modules.get(from);
    // V8 says what is wrong with it.
    if (namespace === undefined || namespace === null || !(typeof namespace === "object" || typeof namespace === "function")) {
      return { ...mine, [from]: namespace };
    }
    const value = namespace[name];
    if (API.Suspending !== undefined && value instanceof API.Suspending) {
      place.refuse(`it imports ${from}.${name} as a WebAssembly.Suspending: calls that suspend the guest cannot be recorded`);
    }
    if (!Object.hasOwn(mine, from)) Object.defineProperty(mine, from, { value: Object.create(null), enumerable: true });
    mine[from][name] = kind === "function" && typeof value === "function" ? recorded.imported(number, value) : value;
    if (kind === "global") recorded.given.push(value);
    if (kind === "table") recorded.givenTables.push(value);
    if (kind === "function") number++;
  }
  return mine;
}

// Another instance must not have the recorded one's table: it would call functions there without JavaScript, unseen.
function apart(module, imports) {
  for (const { module: from, name, kind } of Module.imports(module)) {
    const table = kind === "table" ? imports?.[from]?.[name] : undefined;
    if (tables.has(table) || externs.has(table)) {
      place.refuse(`another module imports the recorded one's table as ${from}.${name}: what it calls there cannot be seen`);
    }
  }
}

// Keeps in mind where the functions of an instance come from: one of them may be put into a table of the recorded one.
function noted(module, instance) {
  const bytes = sources.get(module);
  if (bytes === undefined) return instance;
  const exports = exportsOf.get.call(instance);
  for (const { name, kind } of Module.exports(module)) {
    if (kind === "function" && !others.has(exports[name])) others.set(exports[name], { bytes, name });
  }
  return instance;
}

const NO_TYPE = "it puts a function into a table of the recorded module whose type is not known or has more than numbers: that cannot be recorded yet";

// What stands in a table of the recorded module for a function of another one; `undefined` if its type is not known, or has
// more than numbers.
function foreign(called) {
  const { bytes, name } = others.get(called) ?? {};
  const type = bytes === undefined ? undefined : describe(bytes).functions.get(name);
  if (!type || ![...type.parameters, ...type.results].every((name) => name in NUMBERS)) return undefined;
  return guest.foreign(called, type);
}

// An instance of a module: the recorder's, or the plain one. `api` is what the program calls, for messages.
function make(module, imports, api) {
  const found = plan(module);
  const wanted = guest === null ? found : null;
  const plain = () => {
    if (tables.size + externs.size > 0 && !guest.over) apart(module, imports);
    return noted(module, renamed(api, () => new Instance(module, imports)));
  };
  if (wanted === null || (imports === undefined && Module.imports(module).length > 0)) return plain();
  const recorded = new Guest(place.wire, wanted, place);
  const rewritten = new Module(wanted.rewritten);
  place.wire.message('{"Accepted":"validate"}');
  place.wire.message('{"Accepted":"compile"}');
  let instance, before;
  try {
    const mine = wrapped(module, imports ?? {}, recorded);
    mine.forkpoint = { event: recorded.hook };
    before = recorded.givenTables.map(elements);
    instance = renamed(api, () => new Instance(rewritten, mine));
  } catch (error) {
    guest = recorded;
    recorded.over = true;
    place.wire.message(JSON.stringify({ Rejected: { stage: "instantiate", message: String(error?.message), offset: null, code: null } }));
    throw error;
  }
  guest = recorded;
  place.help();
  const raw = exportsOf.get.call(instance);
  wanted.plan.extern_tables.forEach(({ index, export: name }) => externs.set(raw[name], index));
  wanted.plan.set_tables.forEach(({ index, export: name }) => tables.set(raw[name], index));
  const exports = Object.create(null);
  for (const { name, kind } of Module.exports(module)) {
    exports[name] = kind === "function" ? recorded.function(raw[name]) : raw[name];
  }
  shown.set(instance, Object.freeze(exports));
  recorded.begin(raw, () => before.forEach((functions, i) => standIn(recorded.givenTables[i], functions)));
  return instance;
}

// What is in a table, by index; nothing if it is none.
function elements(table) {
  if (!(table instanceof Table)) return [];
  const found = [];
  for (let index = 0; index < table.length; index++) {
    const element = Reflect.apply(getElement, table, [index]);
    if (element !== null) found.push([index, element]);
  }
  return found;
}

// Functions of other modules that were in an imported table before, and that the recorded module has left there.
function standIn(table, functions) {
  for (const [index, element] of functions) {
    if (Reflect.apply(getElement, table, [index]) !== element) continue;
    const described = foreign(element);
    if (described === undefined) return place.refuse(NO_TYPE);
    Reflect.apply(setElement, table, [index, described.shown]);
    guest.putForeign(tables.get(table), index, described);
  }
}

// Errors name what the program has called.
function renamed(api, action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replace(/^WebAssembly\.\w+\(\)/, `WebAssembly.${api}()`);
    throw error;
  }
}

// What natives and functions of the guest are in JavaScript's words, by their proxies.
const words = new WeakMap();

// Puts a proxy into an object's place for a native function.
function stand(object, name, handler) {
  const descriptor = Object.getOwnPropertyDescriptor(object, name);
  if (descriptor === undefined) return;
  const proxy = new Proxy(descriptor.value, handler);
  words.set(proxy, `function ${descriptor.value.name}() { [native code] }`);
  Object.defineProperty(object, name, { ...descriptor, value: proxy });
}

// Does it for a program that lives at `where`; answers with what gives the recorded instance, or null.
function standBehind(where) {
  place = where;
  stand(Function.prototype, "toString", {
    apply(native, self, values) {
      const number = guest?.raw.get(self)?.number;
      if (number !== undefined) return `function ${number}() { [native code] }`;
      return words.get(self) ?? Reflect.apply(native, self, values);
    },
  });
  const target = (newTarget, proxy, native) => (newTarget === proxy ? native : newTarget);
  stand(API, "Module", {
    construct(native, values, newTarget) {
      const bytes = place.isOwn() ? undefined : bytesOf(values[0]);
      return remember(Reflect.construct(native, values, target(newTarget, API.Module, native)), bytes);
    },
  });
  stand(API, "Instance", {
    construct(native, values, newTarget) {
      const [module, imports] = values;
      if (!(module instanceof Module) || newTarget !== API.Instance) return Reflect.construct(native, values, target(newTarget, API.Instance, native));
      return make(module, imports, "Instance");
    },
  });
  Module.prototype.constructor = API.Module;
  Instance.prototype.constructor = API.Instance;
  stand(API, "compile", {
    apply(native, self, values) {
      const bytes = place.isOwn() ? undefined : bytesOf(values[0]);
      return Reflect.apply(native, self, values).then((module) => remember(module, bytes));
    },
  });
  stand(API, "instantiate", {
    apply(native, self, values) {
      const [source, imports] = values;
      if (source instanceof Module) return Promise.resolve().then(() => make(source, imports, "instantiate"));
      const bytes = place.isOwn() ? undefined : bytesOf(source);
      if (bytes === undefined) return Reflect.apply(native, self, values);
      return compile(bytes).then(
        (module) => ({ module: remember(module, bytes), instance: make(module, imports, "instantiate") }),
        (error) => renamed("instantiate", () => { throw error; }),
      );
    },
  });
  const streamed = async (source) => {
    const response = await source;
    const bytes = typeof response?.clone === "function" ? response.clone().arrayBuffer() : undefined;
    return remember(await compileStreaming.call(API, response), bytes && new Uint8Array(await bytes));
  };
  stand(API, "compileStreaming", { apply: (native, self, [source]) => streamed(source) });
  stand(API, "instantiateStreaming", {
    apply: (native, self, [source, imports]) =>
      streamed(source).then((module) => ({ module, instance: make(module, imports, "instantiateStreaming") })),
  });
  Object.defineProperty(Instance.prototype, "exports", {
    ...exportsOf,
    get: new Proxy(exportsOf.get, { apply: (native, self, values) => shown.get(self) ?? Reflect.apply(native, self, values) }),
  });
  stand(Table.prototype, "get", {
    apply(native, self, values) {
      const element = Reflect.apply(native, self, values);
      if (!tables.has(self)) return element;
      // The functions of other modules are what they were before, even when nothing is recorded any more.
      return guest.originals.get(element) ?? (guest.over ? element : guest.function(element));
    },
  });
  // What a table gets for a value, and how the recorder is told of an element that becomes it.
  const element = (value) => {
    const known = guest.raw.get(value);
    if (known !== undefined) return { value: known.raw, tell: (table, index) => place.wire.setElement(table, index, known.number) };
    if (typeof value !== "function") return { value, tell: (table, index) => place.wire.setElement(table, index, null) };
    const described = foreign(value);
    // What no module exports is refused by the table itself, which emscripten tries first.
    if (described === undefined) return { value, tell: () => place.refuse(NO_TYPE) };
    return { value: described.shown, tell: (table, index) => guest.putForeign(table, index, described) };
  };
  // Elements of a table of JavaScript's own values as they are now.
  const tellExterns = (table, from, to) => {
    for (let index = from; index < to; index++) {
      place.wire.setReference(externs.get(table), index, Reflect.apply(getElement, table, [index]));
    }
  };
  stand(Table.prototype, "set", {
    apply(native, self, values) {
      const [index, value, ...rest] = values;
      if (externs.has(self) && !guest.over) {
        Reflect.apply(native, self, values);
        return tellExterns(self, Number(index), Number(index) + 1);
      }
      if (!tables.has(self) || guest.over) return Reflect.apply(native, self, [index, value, ...rest]);
      const put = element(value);
      // A missing value is null, and `undefined` is not.
      Reflect.apply(native, self, value === undefined ? [index] : [index, put.value]);
      put.tell(tables.get(self), Number(index));
    },
  });
  stand(Table.prototype, "grow", {
    apply(native, self, values) {
      const [delta, value] = values;
      if (externs.has(self) && !guest.over) {
        const before = Reflect.apply(native, self, values);
        place.wire.grewTable(externs.get(self), self.length - before, before);
        tellExterns(self, before, self.length);
        return before;
      }
      if (!tables.has(self) || guest.over) return Reflect.apply(native, self, value === undefined ? [delta] : [delta, value]);
      const put = element(value);
      const before = Reflect.apply(native, self, value === undefined ? [delta] : [delta, put.value]);
      const table = tables.get(self);
      place.wire.grewTable(table, self.length - before, before);
      if (put.value !== null && put.value !== undefined) {
        for (let index = before; index < self.length; index++) put.tell(table, index);
      }
      return before;
    },
  });
  return () => guest;
}

module.exports = { standBehind };
