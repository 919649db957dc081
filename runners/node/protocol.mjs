// Frames to the recorder and its orders, in one grammar: a tag, the length of the rest as four bytes, the rest. All
// of it blocks: the guest waits while its events are sent, and for answers.

import fs from "fs";
import { createRequire } from "module";

const { drain, frame, help, write, HEAD, USED } = createRequire(import.meta.url)("./drain.cjs");

// The version of the protocol.
export const VERSION = 2;

const PIECE = 1 << 20;
const PAGE = 4096;

export class Recorder {
  constructor(socket) {
    this.socket = socket;
    this.received = Buffer.alloc(0);
    this.chunk = Buffer.alloc(1 << 16);
  }

  frame(tag, ...parts) {
    write(this.socket, frame(tag, parts));
  }

  // Waiting records, including those that the second thread has begun to send.
  drain(shared) {
    drain(shared, this.socket, true);
  }

  // A message that is already JSON: JavaScript's own JSON cannot hold 64-bit numbers.
  message(json) {
    this.frame("J", Buffer.from(json));
  }

  // Bytes of memory that the recorder requested.
  range(number, bytes) {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(number);
    for (let at = 0; at < bytes.length; at += PIECE) this.frame("G", head, bytes.subarray(at, at + PIECE));
  }

  // Waits for the next order: its name, its content, and the bytes that an answer writes, which come before it.
  order() {
    const writes = [];
    for (;;) {
      const head = this.bytes(5);
      const [tag, payload] = [String.fromCharCode(head[0]), this.bytes(head.readUInt32LE(1))];
      if (tag === "W") {
        const place = { memory: payload.readUInt32LE(0), address: payload.readBigUInt64LE(4) };
        writes.push({ ...place, bytes: payload.subarray(12) });
        continue;
      }
      if (tag !== "J") throw new Error(`the recorder sent an unknown frame ${tag}`);
      const order = parse(payload.toString());
      const [name, content] = typeof order === "string" ? [order, null] : Object.entries(order)[0];
      return { name, content, writes };
    }
  }

  // The next bytes from the recorder. Bytes read beyond them are kept, so an order is mostly one system call.
  bytes(length) {
    while (this.received.length < length) {
      const read = fs.readSync(this.socket, this.chunk, 0, this.chunk.length, null);
      // Nobody is listening.
      if (read === 0) process.exit(1);
      this.received = Buffer.concat([this.received, this.chunk.subarray(0, read)]);
    }
    const bytes = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return bytes;
  }

  // Bytes of a memory, with their place.
  placed(tag, memory, address, bytes) {
    const place = Buffer.alloc(12);
    place.writeUInt32LE(memory, 0);
    place.writeBigUInt64LE(BigInt(address), 4);
    this.frame(tag, place, bytes);
  }

  // A memory: its size, the pages that are not all zero, the end.
  image(number, memory) {
    const bytes = Buffer.from(memory.buffer);
    this.message(JSON.stringify({ Image: { memory: number, pages: bytes.length / 65536 } }));
    const zero = Buffer.alloc(PAGE);
    let start = -1;
    for (let at = 0; at <= bytes.length; at += PAGE) {
      const written = at < bytes.length && !bytes.subarray(at, at + PAGE).equals(zero);
      if (start >= 0 && (!written || at - start >= PIECE)) {
        this.placed("I", number, start, bytes.subarray(start, at));
        start = -1;
      }
      if (start < 0 && written) start = at;
    }
    this.message('"ImageEnd"');
  }
}

const RECORD = 28;
const ROOM = RECORD * 4096;

// Calls of the hook, kept until there are enough to send or a few milliseconds have passed, and the bytes that are
// watched meanwhile. With `careful` each is sent at once: even a crash loses none then, at the price of a system call
// each.
export class Hooks {
  constructor(recorder, { careful, records } = {}) {
    this.recorder = recorder;
    this.watched = null;
    this.shared = new SharedArrayBuffer(HEAD + ROOM);
    this.state = new Int32Array(this.shared, 0, HEAD / 4);
    this.view = new DataView(this.shared, HEAD);
    this.used = 0;
    // How many bytes may wait.
    this.most = careful ? RECORD : ROOM;
    if (records && !careful) help(this.shared, recorder.socket);
  }

  event(site, first, second, third) {
    const { view, used } = this;
    view.setUint32(used, site, true);
    view.setBigUint64(used + 4, first, true);
    view.setBigUint64(used + 12, second, true);
    view.setBigUint64(used + 20, third, true);
    this.used = used + RECORD;
    Atomics.store(this.state, USED, this.used);
    if (this.used >= this.most) this.send();
    if (this.watched !== null) this.look();
  }

  // From here on, shows these bytes whenever they change.
  watch({ memory, ranges }, memories) {
    this.recorder.message('"Watching"');
    const places = ranges.map(({ address, length }) => ({ address, length, last: null }));
    this.watched = { number: memory, memory: memories[memory], places };
  }

  look() {
    if (this.watched === null) return;
    const { number, memory, places } = this.watched;
    const bytes = Buffer.from(memory.buffer);
    for (const place of places) {
      const now = bytes.subarray(place.address, place.address + place.length);
      if (place.last !== null && now.equals(place.last)) continue;
      place.last = Buffer.from(now);
      this.send();
      this.recorder.placed("V", number, place.address, now);
    }
  }

  send() {
    if (this.used > 0) this.recorder.drain(this.shared);
    this.used = 0;
  }
}

// JSON from the recorder, in which 64-bit numbers would lose their last digits: such values are read as strings.
export function parse(json) {
  return JSON.parse(json.replace(/"(I64|F64)":(-?\d+)/g, '"$1":"$2"'));
}

const BITS = new DataView(new ArrayBuffer(8));

// From the recorder's values, with 64-bit numbers as strings, to JavaScript's.
export function toEngine(value) {
  const [[type, content]] = Object.entries(value);
  switch (type) {
    case "I32":
      return content;
    case "I64":
      return BigInt(content);
    case "F32":
      BITS.setUint32(0, content, true);
      return BITS.getFloat32(0, true);
    case "F64":
      BITS.setBigUint64(0, BigInt(content), true);
      return BITS.getFloat64(0, true);
    case "Reference": {
      const [kind, number] = content.split(" ");
      return number === undefined ? null : new HostValue(kind, +number);
    }
    default:
      throw new TypeError(`JavaScript has no values of type ${type}`);
  }
}

// A value of a known type, in the recorder's JSON.
export function fromEngine(value, type, named = false) {
  switch (type) {
    case "I32":
      return `{"I32":${value | 0}}`;
    case "I64":
      return `{"I64":${BigInt.asIntN(64, value)}}`;
    case "F32":
      BITS.setFloat32(0, value, true);
      return `{"F32":${BITS.getUint32(0, true)}}`;
    case "F64":
      BITS.setFloat64(0, value, true);
      return `{"F64":${BITS.getBigUint64(0, true)}}`;
    default:
      // One of the host's, by its number.
      if (value instanceof HostValue && type === "Extern") return `{"Reference":"extern ${value.number}"}`;
      return `{"Reference":"${named ? reference(value, type) : value === null ? "null" : "reference"}"}`;
  }
}

// A reference in words. JavaScript does not distinguish a structure from an array.
function reference(value, type) {
  if (value === null) return "null";
  if (value instanceof HostValue) return `${type === "Extern" ? "extern" : "host"} ${value.number}`;
  if (type === "Extern") return "extern";
  if (typeof value === "function") return "func";
  if (typeof value === "number") return `i31 ${value & 0x7fffffff}`;
  return "struct";
}

// A value of the host's that a script passes.
export class HostValue {
  constructor(kind, number) {
    this.kind = kind;
    this.number = number;
  }
}
