// Runs a host script for forkpoint: node driver.mjs FILE, with a socket to the engine's process as standard input.
// What a script looks like and what it may do is in docs/host.md.

import fs from "node:fs";
import { pathToFileURL } from "node:url";

const SOCKET = 0;

// The guest traps or ends; anything else that is thrown is an error of the script.
class Trap extends Error {}
class Exit extends Error {}

function take(length) {
  const bytes = Buffer.alloc(length);
  for (let got = 0; got < length; ) {
    const read = fs.readSync(SOCKET, bytes, got, length - got, null);
    // The engine's process is gone.
    if (read === 0) process.exit(0);
    got += read;
  }
  return bytes;
}

function hear() {
  const lengths = take(8);
  const json = take(lengths.readUInt32LE(0));
  return [JSON.parse(json), take(lengths.readUInt32LE(4))];
}

function say(message, bytes = Buffer.alloc(0)) {
  const json = Buffer.from(JSON.stringify(message));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(json.length, 0);
  lengths.writeUInt32LE(bytes.length, 4);
  const all = Buffer.concat([lengths, json, bytes]);
  for (let sent = 0; sent < all.length; ) sent += fs.writeSync(SOCKET, all, sent);
}

function ask(message, bytes) {
  say(message, bytes);
  const [answer, read] = hear();
  if (answer.outside !== undefined) throw new Trap(answer.outside);
  return [answer, read];
}

// A pointer is an i32, so it may come as a negative number: addresses are unsigned.
function address(value) {
  const number = BigInt(value);
  if (number >= 0n) return String(number);
  return String(typeof value === "bigint" ? BigInt.asUintN(64, number) : BigInt.asUintN(32, number));
}

// The guest's memory, and everything else a function may use.
class Memory {
  #types = [];
  #bits = [];

  begin(typed) {
    this.#types = typed.map(([type]) => type);
    this.#bits = typed.map(([, text]) => text);
  }

  // The bytes at an address, as a copy.
  read(at, length) {
    return new Uint8Array(ask({ read: [address(at), address(length)] })[1]);
  }

  // Writes bytes (or a string, as UTF-8) to an address, and returns how many.
  write(at, data) {
    const bytes = typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    ask({ write: address(at) }, bytes);
    return bytes.length;
  }

  // UTF-8 text: of this many bytes, or up to a NUL.
  text(at, length) {
    if (length !== undefined) return Buffer.from(this.read(at, length)).toString();
    const start = BigInt(address(at));
    const parts = [];
    for (let from = start; from < BigInt(this.size); ) {
      const left = BigInt(this.size) - from;
      const part = this.read(from, left < 256n ? left : 256n);
      const end = part.indexOf(0);
      parts.push(end < 0 ? part : part.subarray(0, end));
      if (end >= 0) return Buffer.concat(parts).toString();
      from += BigInt(part.length);
    }
    throw new Trap(`no NUL ends the text at 0x${start.toString(16)}`);
  }

  // Grows memory by this many pages; returns the previous size in pages, or -1.
  grow(pages) {
    const [{ grown }] = ask({ grow: address(pages) });
    return grown === null ? -1 : Number(grown);
  }

  // Size in bytes.
  get size() {
    return Number(ask("size")[0].size[0]);
  }

  // Size in pages.
  get pages() {
    return Number(ask("size")[0].size[1]);
  }

  // The bits of a float argument, by its number from 0. They tell NaNs apart.
  bits(argument) {
    const type = this.#types[argument];
    if (type !== "f32" && type !== "f64") throw new TypeError(`argument ${argument} is not a float`);
    return type === "f32" ? Number(this.#bits[argument]) : BigInt(this.#bits[argument]);
  }

  // Makes the guest trap.
  trap(words) {
    throw new Trap(String(words));
  }

  // Ends the guest with an exit code.
  exit(code) {
    throw new Exit(String(code | 0));
  }
}

const scratch = new DataView(new ArrayBuffer(8));

function fromTyped([type, text]) {
  switch (type) {
    case "i32":
      return Number(text);
    case "i64":
      return BigInt(text);
    case "f32":
      scratch.setUint32(0, Number(text));
      return scratch.getFloat32(0);
    case "f64":
      scratch.setBigUint64(0, BigInt(text));
      return scratch.getFloat64(0);
    case "v128":
      return new Uint8Array(Buffer.from(text, "hex"));
    default:
      return null;
  }
}

function shown(value) {
  return typeof value === "bigint" ? `${value}n` : typeof value === "string" ? JSON.stringify(value) : String(value);
}

function toTyped(value, type) {
  const wrong = (hint) => new TypeError(`returned ${shown(value)} (${typeof value}) for a result of type ${type}: ${hint}`);
  const bits = typeof value === "object" && value !== null ? value.bits : undefined;
  switch (type) {
    case "i32":
      if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 32) throw wrong("return an integer of 32 bits");
      return [type, String(value | 0)];
    case "i64":
      if (typeof value !== "bigint" || value < -(2n ** 63n) || value >= 2n ** 64n) throw wrong("return a BigInt, as in 5n");
      return [type, String(BigInt.asIntN(64, value))];
    case "f32":
      if (bits !== undefined) return [type, String(BigInt.asUintN(32, BigInt(bits)))];
      if (typeof value !== "number") throw wrong("return a number, or { bits } for a certain NaN");
      scratch.setFloat32(0, value);
      return [type, String(Number.isNaN(value) ? 0x7fc00000 : scratch.getUint32(0))];
    case "f64":
      if (bits !== undefined) return [type, String(BigInt.asUintN(64, BigInt(bits)))];
      if (typeof value !== "number") throw wrong("return a number, or { bits } for a certain NaN");
      scratch.setFloat64(0, value);
      return [type, String(Number.isNaN(value) ? 0x7ff8000000000000n : scratch.getBigUint64(0))];
    case "v128":
      if (!(value instanceof Uint8Array) || value.length !== 16) throw wrong("return a Uint8Array of 16 bytes");
      return [type, Buffer.from(value).toString("hex")];
    default:
      if (value !== null) throw wrong("return null");
      return [type, "null"];
  }
}

// Exported objects are modules whose functions a guest can import; a default export holds more modules.
function collect(exports, functions) {
  for (const [module, object] of Object.entries(exports)) {
    if (typeof object !== "object" || object === null) continue;
    if (module === "default") {
      collect(object, functions);
      continue;
    }
    for (const [name, entry] of Object.entries(object)) {
      if (typeof entry === "function") functions.set(JSON.stringify([module, name]), entry.bind(object));
    }
  }
}

async function call({ module, name, arguments: typed, results }, functions, memory) {
  memory.begin(typed);
  const answer = await functions.get(JSON.stringify([module, name]))(memory, ...typed.map(fromTyped));
  if (results.length === 0) return [];
  const values = results.length === 1 ? [answer] : answer;
  if (!Array.isArray(values) || values.length !== results.length) {
    throw new TypeError(`returned ${shown(answer)} where an array of ${results.length} results is expected`);
  }
  return values.map((value, i) => toTyped(value, results[i]));
}

const functions = new Map();
try {
  const exports = await import(pathToFileURL(process.argv[2]));
  collect(exports, functions);
  // CommonJS exports some names twice.
  say({ functions: [...functions.keys()].map((key) => JSON.parse(key)) });
} catch (error) {
  say({ failed: String(error?.stack ?? error) });
  process.exit(1);
}
const memory = new Memory();
for (;;) {
  const [{ call: asked }] = hear();
  try {
    say({ returned: await call(asked, functions, memory) });
  } catch (error) {
    if (error instanceof Trap) say({ trap: error.message });
    else if (error instanceof Exit) say({ exit: Number(error.message) });
    else say({ failed: `${asked.module}.${asked.name}: ${error?.stack ?? error}` });
  }
}
