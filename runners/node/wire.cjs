// What the recorder is told of a program that lives in JavaScript: records of the guest's events and of what the host did,
// in the order in which they happened, and messages in between (docs/javascript.md). Nothing waits for an answer but the
// question whether a module is to be recorded.

"use strict";

// Words at the front of the memory where records wait: how many bytes of them are whole is the second.
const HEAD = 16;
const USED = 1;
// Bytes that may wait.
const ROOM = 1 << 20;
// Bytes of memory in one step of the host.
const PIECE = 1 << 15;
const PAGE = 4096;
const HOST_RECORD = 2;

const TEXT = new TextEncoder();
const BITS = new DataView(new ArrayBuffer(8));
const TYPES = { I32: 0, I64: 1, F32: 2, F64: 3, Extern: 5 };

// Values of JavaScript's own that cross the border, by their numbers. Objects can go when nobody else has them.
class References {
  constructor() {
    this.objects = new WeakMap();
    this.others = new Map();
    this.next = 0;
  }

  // A value in the recorder's words.
  word(value) {
    if (value === null) return "null";
    const object = typeof value === "object" || typeof value === "function";
    const known = object ? this.objects : this.others;
    let number = known.get(value);
    if (number === undefined) {
      number = this.next++;
      known.set(value, number);
    }
    return `extern ${number}`;
  }
}

class Wire {
  // `channel` is how the recorder is reached: channel.cjs in Node, page.cjs in a browser.
  constructor(channel) {
    this.channel = channel;
    const room = channel.room(Wire.ROOM);
    this.state = new Int32Array(room, 0, HEAD / 4);
    this.buffer = new Uint8Array(room, HEAD);
    this.view = new DataView(room, HEAD);
    // Bytes of records; those of whole ones are in the state.
    this.used = 0;
    // Where the record that is being written has its length.
    this.head = 0;
    this.references = new References();
  }

  // A record is whole.
  whole() {
    Atomics.store(this.state, USED, this.used);
  }

  send() {
    this.channel.drain();
    this.used = 0;
  }

  // A message that is already JSON: JavaScript's own cannot hold 64-bit numbers.
  message(json) {
    this.send();
    this.channel.write("J", [TEXT.encode(json)]);
  }

  // A call of the hook.
  event(site, first, second, third) {
    if (this.used >= ROOM) this.send();
    const { view, used } = this;
    view.setUint32(used, site, true);
    view.setBigUint64(used + 4, first, true);
    view.setBigUint64(used + 12, second, true);
    view.setBigUint64(used + 20, third, true);
    this.used = used + 28;
    this.whole();
  }

  begin(variant) {
    if (this.used >= ROOM) this.send();
    this.view.setUint32(this.used, HOST_RECORD, true);
    this.head = this.used + 4;
    this.used += 8;
    this.byte(variant);
  }

  end() {
    this.view.setUint32(this.head, this.used - this.head - 4, true);
    this.whole();
  }

  // The recording is over, in the middle of something.
  cut(why) {
    this.message(JSON.stringify({ Cut: why }));
    this.message('"End"');
  }

  byte(value) {
    this.buffer[this.used++] = value;
  }

  // Numbers as docs/trace-format.md has them.
  number(value) {
    if (value < 251) return this.byte(value);
    if (value < 0x10000) {
      this.byte(251);
      this.view.setUint16(this.used, value, true);
      this.used += 2;
    } else if (value < 0x100000000) {
      this.byte(252);
      this.view.setUint32(this.used, value, true);
      this.used += 4;
    } else {
      this.wide(BigInt(value));
    }
  }

  wide(value) {
    if (value < 0x100000000n) return this.number(Number(value));
    this.byte(253);
    this.view.setBigUint64(this.used, value, true);
    this.used += 8;
  }

  text(text) {
    const bytes = TEXT.encode(text);
    this.number(bytes.length);
    this.buffer.set(bytes, this.used);
    this.used += bytes.length;
  }

  value(value, type) {
    this.byte(TYPES[type]);
    switch (type) {
      case "I32":
        return this.number(((value << 1) ^ (value >> 31)) >>> 0);
      case "I64":
        return this.wide(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
      case "Extern":
        return this.text(this.references.word(value));
      case "F32":
        BITS.setFloat32(0, value, true);
        return this.number(BITS.getUint32(0, true));
      default:
        BITS.setFloat64(0, value, true);
        return this.wide(BITS.getBigUint64(0, true));
    }
  }

  values(values, types) {
    this.number(types.length);
    types.forEach((type, i) => this.value(values[i], type));
  }

  // Encoded once: a program may call an import very often.
  import(names) {
    if (names.encoded !== undefined) {
      this.buffer.set(names.encoded, this.used);
      this.used += names.encoded.length;
      return;
    }
    const start = this.used;
    this.text(names.module);
    this.text(names.name);
    names.encoded = this.buffer.slice(start, this.used);
  }

  // The guest calls an import.
  call(number, { import: names, parameters }, values) {
    this.begin(0);
    this.number(number);
    this.import(names);
    this.values(values, parameters);
    // No reads, no caller.
    this.byte(0);
    this.byte(0);
    this.end();
  }

  // The call of the import returns.
  returned({ import: names, results }, values) {
    this.begin(3);
    this.import(names);
    this.byte(0);
    this.values(values, results);
    this.end();
  }

  // It throws.
  threw({ import: names }, words) {
    this.begin(3);
    this.import(names);
    this.byte(1);
    this.text(words);
    this.end();
  }

  // It ends the program.
  exited({ import: names }, code) {
    this.begin(3);
    this.import(names);
    this.byte(2);
    this.number(((code << 1) ^ (code >> 31)) >>> 0);
    this.end();
  }

  // JavaScript calls the guest.
  enter(number, { parameters }, values) {
    this.begin(4);
    this.number(number);
    this.values(values, parameters);
    this.end();
  }

  // The guest returns to it.
  left(number, { results }, values) {
    this.begin(5);
    this.number(number);
    this.byte(0);
    this.values(values, results);
    this.end();
  }

  // The guest is left by a trap, by its number in the format.
  trapped(number, trap) {
    this.begin(5);
    this.number(number);
    this.byte(1);
    this.number(trap);
    this.end();
  }

  wrote(memory, address, bytes) {
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      this.begin(1);
      this.number(memory);
      this.number(address + at);
      this.number(piece.length);
      this.buffer.set(piece, this.used);
      this.used += piece.length;
      this.end();
    }
  }

  grew(memory, delta, before) {
    this.begin(2);
    this.number(memory);
    this.number(delta);
    this.number(before);
    this.end();
  }

  setGlobal(number, value, type) {
    this.begin(6);
    this.number(number);
    this.value(value, type);
    this.end();
  }

  setElement(table, index, number) {
    this.begin(7);
    this.number(table);
    this.number(index);
    this.byte(number === null ? 0 : 1);
    if (number !== null) this.number(number);
    this.end();
  }

  // An element of a table of JavaScript's own values.
  setReference(table, index, value) {
    this.begin(9);
    this.number(table);
    this.number(index);
    this.value(value, "Extern");
    this.end();
  }

  // An element of a table becomes a function of JavaScript's own.
  setFunction(table, index, { number, parameters, results }) {
    this.begin(10);
    this.number(table);
    this.number(index);
    this.number(number);
    for (const types of [parameters, results]) {
      this.number(types.length);
      types.forEach((type) => this.byte(TYPES[type]));
    }
    this.end();
  }

  // A value in the recorder's JSON.
  json(value, type) {
    switch (type) {
      case "I32":
        return `{"I32":${value | 0}}`;
      case "I64":
        return `{"I64":${BigInt.asIntN(64, value)}}`;
      case "Extern":
        return `{"Reference":"${this.references.word(value)}"}`;
      case "F32":
        BITS.setFloat32(0, value, true);
        return `{"F32":${BITS.getUint32(0, true)}}`;
      default:
        BITS.setFloat64(0, value, true);
        return `{"F64":${BITS.getBigUint64(0, true)}}`;
    }
  }

  grewTable(table, delta, before) {
    this.begin(8);
    this.number(table);
    this.number(delta);
    this.number(before);
    this.end();
  }

  // A memory: its size, the pages that exist and are not all zero, the end.
  image(number, memory) {
    memory.look();
    const { bytes } = memory;
    this.message(JSON.stringify({ Image: { memory: number, pages: bytes.length / 65536 } }));
    const send = (start, end) => {
      const place = new DataView(new ArrayBuffer(12));
      place.setUint32(0, number, true);
      place.setBigUint64(4, BigInt(start), true);
      this.channel.write("I", [new Uint8Array(place.buffer), bytes.subarray(start, end)]);
    };
    memory.existing((from, to) => {
      let start = -1;
      for (let at = from; at <= to; at += PAGE) {
        const written = at < to && bytes.subarray(at, at + PAGE).some((byte) => byte !== 0);
        if (start >= 0 && (!written || at - start >= ROOM)) {
          send(start, at);
          start = -1;
        }
        if (start < 0 && written) start = at;
      }
    });
    this.message('"ImageEnd"');
  }
}

// Bytes of memory where records wait, with the words at the front.
Wire.ROOM = HEAD + ROOM + 2 * PIECE;

module.exports = { Wire };
