// What stands behind `WebAssembly` in a page or a worker of it: behind.cjs has what it does, this has how a browser is asked and
// told. The recorder is reached through browser.cjs, by requests that wait for their answers. `LINK` is what browser.cjs puts in
// front: the address, and the names of the events by which it ends the recording.

"use strict";

/* global LINK */
const { standBehind } = require("./behind.cjs");
const { Wire } = require("./wire.cjs");

const { open, send, overrideMimeType } = XMLHttpRequest.prototype;
const { now } = performance;
const HEAD = 16;
// Bytes of frames that may wait, and how long.
const MOST = 1 << 20;
const PERIOD = 50;

// Sends bytes, and waits for those that come back.
function ask(what, body) {
  const request = new XMLHttpRequest();
  open.call(request, "POST", LINK.address + what, false);
  // Bytes as characters: other forms are not to be had here.
  overrideMimeType.call(request, "text/plain; charset=x-user-defined");
  send.call(request, body);
  if (request.status !== 200) throw new Error("the recorder is gone");
  return Uint8Array.from(request.responseText, (character) => character.charCodeAt(0) & 0xff);
}

const object = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

class Channel {
  constructor() {
    this.memory = null;
    this.waiting = [];
    this.length = 0;
    this.sent = now.call(performance);
  }

  room(length) {
    this.memory = new ArrayBuffer(length);
    return this.memory;
  }

  // Takes the whole records.
  drain() {
    const state = new Int32Array(this.memory, 0, HEAD / 4);
    const used = state[1];
    state[1] = 0;
    if (used > 0) this.write("H", [new Uint8Array(this.memory, HEAD, used)]);
  }

  write(tag, parts) {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const frame = new Uint8Array(5 + length);
    const view = new DataView(frame.buffer);
    view.setUint8(0, tag.charCodeAt(0));
    view.setUint32(1, length, true);
    let at = 5;
    for (const part of parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.waiting.push(frame);
    this.length += frame.length;
    if (this.length >= MOST || now.call(performance) - this.sent >= PERIOD) this.flush();
  }

  flush() {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const frame of this.waiting) {
      whole.set(frame, at);
      at += frame.length;
    }
    this.waiting = [];
    this.length = 0;
    if (whole.length > 0) ask("frames", whole);
    this.sent = now.call(performance);
  }
}

const { Instance, Memory, Module } = WebAssembly;
const { grow } = Memory.prototype;
const bufferOf = Object.getOwnPropertyDescriptor(Memory.prototype, "buffer").get;
const PAGE = 4096;
const WASM_PAGE = 1 << 16;

// The module that compares memory, if the browser takes it.
let comparing = null;

// A memory's copy, compared by that module, which knows of which pages the copy is not zero.
class Comparer {
  constructor(guest) {
    this.copy = new Memory({ initial: 0 });
    this.kept = new Memory({ initial: 0 });
    const instance = new Instance(comparing, { forkpoint: { guest, copy: this.copy, kept: this.kept } });
    this.next = instance.exports.next;
    this.flags = new Uint8Array(0);
  }

  // The copy with this length.
  grown(length) {
    for (const [memory, bytes] of [[this.copy, length], [this.kept, length / PAGE]]) {
      const more = Math.ceil((bytes - bufferOf.call(memory).byteLength) / WASM_PAGE);
      if (more > 0) grow.call(memory, more);
    }
    this.flags = new Uint8Array(bufferOf.call(this.kept));
    return new Uint8Array(bufferOf.call(this.copy));
  }

  keeps(start, end) {
    this.flags.fill(1, start / PAGE, end / PAGE);
  }
}

// How a memory's bytes are seen and compared: nothing tells here which pages exist.
const system = {
  comparer(memory) {
    try {
      return comparing === null ? null : new Comparer(memory);
    } catch {
      // A memory with addresses of 64 bits, or no room for a copy.
      return null;
    }
  },
  zeros: (length) => new Uint8Array(length),
  seen: (buffer) => new Uint8Array(buffer),
  existing: (bytes) => (found) => found(0, bytes.length),
  // Pages of 64 KiB are whole words.
  equal(bytes, others, start, end) {
    const length = (end - start) >> 2;
    const left = new Int32Array(bytes.buffer, bytes.byteOffset + start, length);
    const right = new Int32Array(others.buffer, others.byteOffset + start, length);
    for (let word = 0; word < length; word++) if (left[word] !== right[word]) return false;
    return true;
  },
};

const channel = new Channel();
const wire = new Wire(channel);

// What cannot be recorded ends the recording; this request is not answered any more.
function refuse(why) {
  wire.message(JSON.stringify({ Failed: why }));
  channel.flush();
  ask("refused");
}

function asked(bytes) {
  channel.flush();
  const { plan } = object(ask("module", bytes));
  if (plan === undefined) return null;
  try {
    comparing = new Module(ask("file/comparer.wasm"));
  } catch {
    // A browser without vectors or several memories.
  }
  const found = object(ask(`file/${plan}`));
  return { plan: found, rewritten: ask(`file/${found.module}`) };
}

// Has a function do something before what it does anyhow.
function before(object, name, action) {
  const native = object?.[name];
  if (typeof native !== "function") return;
  object[name] = new Proxy(native, {
    apply(_, self, values) {
      action();
      return Reflect.apply(native, self, values);
    },
  });
}

// Frames are other documents, and are not recorded.
const inWorker = typeof window === "undefined";
if (inWorker || window === window.top) {
  const guest = standBehind({ wire, system, refuse, isOwn: () => false, asked, help() {} });
  const where = inWorker ? "the worker" : "the page";
  let ended = false;
  const end = (why, broken) => {
    if (ended) return;
    ended = true;
    guest()?.stop(why, broken);
    channel.flush();
    if (guest() !== null) ask("end");
  };
  addEventListener(LINK.end, () => end(`${where} ran the module when its time was over`, false));
  addEventListener(LINK.broken, () => end(`${where} ran the module when its time was over`, true));
  addEventListener("pagehide", () => end("the page was left while it ran the module", false));
  if (inWorker) {
    before(globalThis, "close", () => end("the worker closed itself while it ran the module", false));
    // Who gets the message may end the worker, which then says nothing any more.
    const tell = () => {
      if (ended || guest() === null) return;
      wire.send();
      channel.flush();
    };
    before(globalThis, "postMessage", tell);
    before(MessagePort.prototype, "postMessage", tell);
  }
}
