// Types from a module's sections: JavaScript values do not distinguish an i32 from an f64.

"use strict";

const NAMES = { 0x7f: "I32", 0x7e: "I64", 0x7d: "F32", 0x7c: "F64", 0x7b: "V128", 0x6f: "Extern" };

// As they are before a program can replace them.
const { Instance, Module } = WebAssembly;

class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  number() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  }

  name() {
    const length = this.number();
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }

  list(read) {
    return Array.from({ length: this.number() }, () => read());
  }

  valueType() {
    const byte = this.byte();
    // A reference whose type follows.
    if (byte === 0x63 || byte === 0x64) {
      const is = this.bytes[this.at] === 0x6f ? "Extern" : "Reference";
      this.number();
      return is;
    }
    return NAMES[byte] ?? "Reference";
  }

  limits() {
    const flags = this.byte();
    const limits = { initial: this.number() };
    if (flags & 1) limits.maximum = this.number();
    if (flags & 2) limits.shared = true;
    if (flags & 4) limits.index = "i64";
    if (flags & 8) this.number();
    return limits;
  }
}

// By index; those of structs and arrays are null.
function functionTypes(reader) {
  const types = [];
  // A type, which may be packed, and whether it can be written to.
  const field = () => (reader.valueType(), reader.byte());
  const one = () => {
    let form = reader.byte();
    if (form === 0x50 || form === 0x4f) {
      reader.list(() => reader.number());
      form = reader.byte();
    }
    if (form === 0x5f) reader.list(field);
    else if (form === 0x5e) field();
    else if (form !== 0x60) throw new Error(`a type of form ${form}`);
    if (form !== 0x60) return types.push(null);
    const parameters = reader.list(() => reader.valueType());
    types.push({ parameters, results: reader.list(() => reader.valueType()) });
  };
  reader.list(() => {
    if (reader.bytes[reader.at] === 0x4e) {
      reader.byte();
      reader.list(one);
    } else {
      one();
    }
  });
  return types;
}

// Types of exported functions by name, of exported globals by name, and the imports in order.
function describe(bytes) {
  const described = { functions: new Map(), globals: new Map(), imports: [] };
  let types = [];
  const functions = [];
  const globals = [];
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const end = reader.number() + reader.at;
    if (id === 1) types = functionTypes(reader);
    if (id === 2) {
      reader.list(() => {
        const entry = { module: reader.name(), name: reader.name(), kind: reader.byte() };
        if (entry.kind === 0) {
          functions.push(reader.number());
          entry.type = types[functions[functions.length - 1]];
        } else if (entry.kind === 1) {
          reader.valueType();
          reader.limits();
        } else if (entry.kind === 2) entry.memory = reader.limits();
        else if (entry.kind === 3) {
          globals.push(reader.valueType());
          reader.byte();
        } else if (entry.kind === 4) {
          reader.byte();
          reader.number();
        } else throw new Error(`an import of kind ${entry.kind}`);
        described.imports.push(entry);
      });
    }
    if (id === 3) functions.push(...reader.list(() => reader.number()));
    // Values of globals are code: their types are read, and their ends searched for.
    if (id === 6) readGlobals(reader, globals);
    if (id === 7) {
      reader.list(() => {
        const [name, kind, index] = [reader.name(), reader.byte(), reader.number()];
        if (kind === 0) described.functions.set(name, types[functions[index]]);
        if (kind === 3) described.globals.set(name, globals[index]);
      });
    }
    reader.at = end;
  }
  return described;
}

// Lengths of operands of the opcodes that may occur in a constant expression.
function readGlobals(reader, globals) {
  const skip = {
    0x41: () => reader.number(),
    0x42: () => reader.number(),
    0x43: () => (reader.at += 4),
    0x44: () => (reader.at += 8),
    0x23: () => reader.number(),
    0xd2: () => reader.number(),
    0xd0: () => reader.number(),
    0xfd: () => (reader.number(), (reader.at += 16)),
    0xfb: () => {
      const operation = reader.number();
      // array.new_fixed has a type and a length; other instructions that make structs and arrays have a type.
      const immediates = operation === 8 ? 2 : operation < 8 ? 1 : 0;
      for (let i = 0; i < immediates; i++) reader.number();
    },
  };
  reader.list(() => {
    globals.push(reader.valueType());
    reader.byte();
    for (let opcode = reader.byte(); opcode !== 0x0b; opcode = reader.byte()) skip[opcode]?.();
  });
}

const NUMBERS = { I32: 0x7f, I64: 0x7e, F32: 0x7d, F64: 0x7c };

// A function of WebAssembly that calls a function of JavaScript, as tables want it; its type has nothing but numbers.
function shim(called, { parameters, results }) {
  const number = (value) => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >> 7)]);
  const types = (list) => [...number(list.length), ...list.map((type) => NUMBERS[type])];
  const section = (id, bytes) => [id, ...number(bytes.length), ...bytes];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...types(parameters), ...types(results)]),
    // Both names are "f".
    ...section(2, [1, 1, 0x66, 1, 0x66, 0, 0]),
    ...section(7, [1, 1, 0x66, 0, 0]),
  ];
  return new Instance(new Module(new Uint8Array(bytes)), { f: { f: called } }).exports.f;
}

module.exports = { describe, shim, NUMBERS };
