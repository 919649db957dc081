// Frames to the recorder: a tag, the length of what follows as four bytes, the rest; and its orders. All of it blocks:
// the guest waits while its events are sent, and for answers.

import fs from "fs";
import { createRequire } from "module";

const { drain, frame, help, write, HEAD, USED } = createRequire(import.meta.url)("./drain.cjs");

const PIECE = 1 << 20;
const PAGE = 4096;

export class Recorder {
  constructor(socket) {
    this.socket = socket;
  }

  frame(tag, ...parts) {
    write(this.socket, frame(tag, parts));
  }

  // Records that wait, and any that the second thread has begun to send.
  drain(shared) {
    drain(shared, this.socket);
  }

  // A message whose JSON is made already: 64-bit numbers have no place in JavaScript's own.
  message(json) {
    this.frame("J", Buffer.from(json));
  }

  // Bytes of memory that the recorder asked for.
  range(number, bytes) {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(number);
    for (let at = 0; at < bytes.length; at += PIECE) this.frame("G", head, bytes.subarray(at, at + PIECE));
  }

  // What the recorder sends.
  bytes(length) {
    const bytes = Buffer.alloc(length);
    for (let got = 0; got < length; ) {
      const read = fs.readSync(this.socket, bytes, got, length - got, null);
      // Nobody listens any more.
      if (read === 0) process.exit(1);
      got += read;
    }
    return bytes;
  }

  byte() {
    return this.bytes(1)[0];
  }

  word() {
    return this.bytes(4).readUInt32LE();
  }

  long() {
    return this.bytes(8).readBigUInt64LE();
  }

  list(read) {
    return Array.from({ length: this.word() }, () => read());
  }

  // Bytes of a memory, and where they are.
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

// Calls of the hook, kept until there are enough of them to send or a few milliseconds have passed, and the bytes that are
// watched meanwhile. With care each is sent at once: not even a crash loses one then, at the price of a system call each.
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

  // Shows these bytes from here on whenever they have changed.
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

const BITS = new DataView(new ArrayBuffer(8));

// From the recorder's values, whose 64-bit numbers were made strings, to JavaScript's.
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
    case "Reference":
      return null;
    default:
      throw new TypeError(`JavaScript has no values of type ${type}`);
  }
}

// A value of a known type as the recorder's JSON.
export function fromEngine(value, type) {
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
      return `{"Reference":"${value === null ? "null" : "reference"}"}`;
  }
}
