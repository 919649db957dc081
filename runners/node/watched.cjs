// A memory of the guest, compared with a copy of it: what has JavaScript changed? Only pages that exist are compared, since
// those that nobody has touched are zero: the system's page tables tell which ones exist. Where they cannot be read, all of
// memory is compared.

"use strict";

const fs = require("fs");

const PAGE = 4096;
// Most bytes that are compared at once.
const COARSE = 1 << 20;
// Equal bytes between two changes that are told as one.
const GAP = 16;
// An entry of the page tables has eight bytes, and in the last two bits says whether a page is present or swapped out.
const ENTRY = 8;
const EXISTS = 0xc0000000;

class Watched {
  constructor(memory) {
    this.memory = memory;
    this.buffer = null;
    this.bytes = Buffer.alloc(0);
    this.copy = Buffer.alloc(0);
    this.address = undefined;
    // Pages that the guest has written to since it got control, and which of all pages these are.
    this.written = [];
    this.dirty = new Uint8Array(0);
    this.look();
  }

  // The bytes as they are now; a memory that has grown has another buffer.
  look() {
    const { buffer } = this.memory;
    if (buffer === this.buffer) return;
    this.buffer = buffer;
    this.bytes = Buffer.from(buffer);
    this.address = addressOf(this.bytes);
    const pages = Math.ceil(this.bytes.length / PAGE);
    this.entries = new Uint32Array((pages * ENTRY) / 4);
    const dirty = new Uint8Array(pages);
    dirty.set(this.dirty.subarray(0, pages));
    this.dirty = dirty;
  }

  // The guest has written there.
  wrote(start, length) {
    const last = Math.floor((start + length - 1) / PAGE);
    if (last >= this.dirty.length) this.look();
    for (let page = Math.floor(start / PAGE); page <= last; page++) {
      if (this.dirty[page] === 1) continue;
      this.dirty[page] = 1;
      this.written.push(page);
    }
  }

  // The copy becomes as long as memory.
  fit() {
    this.look();
    if (this.bytes.length === this.copy.length) return;
    const copy = Buffer.alloc(this.bytes.length);
    this.copy.copy(copy);
    this.copy = copy;
  }

  // The copy becomes what memory is. The guest, whose writes are known, had control.
  keep() {
    // It may have grown memory and written nothing.
    this.fit();
    if (this.written.length === 0) return;
    for (const page of this.written) {
      this.dirty[page] = 0;
      this.bytes.copy(this.copy, page * PAGE, page * PAGE, (page + 1) * PAGE);
    }
    this.written.length = 0;
  }

  // The same when nothing is known of what has been written.
  keepAll() {
    this.fit();
    this.existing((start, end) => this.bytes.copy(this.copy, start, start, end));
  }

  // Calls `found` with the start and the end of stretches that hold all pages that exist.
  existing(found) {
    const { address, bytes, entries } = this;
    const words = entries.length;
    if (address === undefined || !readPages(address, entries)) return found(0, bytes.length);
    let start = -1;
    for (let word = 1, page = 0; word < words; word += 2, page++) {
      if ((entries[word] & EXISTS) !== 0) {
        if (start < 0) start = page;
      } else if (start >= 0) {
        found(start * PAGE, page * PAGE);
        start = -1;
      }
    }
    if (start >= 0) found(start * PAGE, bytes.length);
  }

  // Calls `found` with the start and the end of every page that differs from the copy.
  differing(found) {
    const { bytes, copy } = this;
    const compare = (start, end) => {
      if (bytes.compare(copy, start, end, start, end) === 0) return;
      if (end - start <= PAGE) return found(start, end);
      const middle = start + Math.ceil((end - start) / 2 / PAGE) * PAGE;
      compare(start, middle);
      compare(middle, end);
    };
    this.existing((from, to) => {
      for (let start = from; start < to; start += COARSE) compare(start, Math.min(start + COARSE, to));
    });
  }

  // Calls `told` with the start and the end of what differs from the copy, which becomes what memory is.
  changes(told) {
    const { bytes, copy } = this;
    let [from, to] = [-1, -1];
    this.differing((start, end) => {
      for (let at = start; at < end; at++) {
        if (bytes[at] === copy[at]) continue;
        if (from >= 0 && at - to > GAP) {
          told(from, to);
          from = -1;
        }
        if (from < 0) from = at;
        to = at + 1;
      }
      bytes.copy(copy, start, start, end);
    });
    if (from >= 0) told(from, to);
  }
}

let tables = null;

// Reads the entries of the page tables for the pages from `address` on.
function readPages(address, entries) {
  if (tables === null) {
    try {
      tables = { pages: fs.openSync("/proc/self/pagemap", "r"), memory: fs.openSync("/proc/self/mem", "r") };
    } catch {
      tables = { pages: -1, memory: -1 };
    }
  }
  if (tables.pages < 0) return false;
  try {
    return fs.readSync(tables.pages, entries, 0, entries.byteLength, (address / PAGE) * ENTRY) === entries.byteLength;
  } catch {
    return false;
  }
}

// Where in the process's memory these bytes are; `undefined` if that is not known. A mapping of this length is taken for
// them only if a byte that changes here changes there, too.
function addressOf(bytes) {
  if (bytes.length === 0 || !readPages(0, new Uint32Array(2))) return undefined;
  const there = Buffer.alloc(1);
  const read = (address) => fs.readSync(tables.memory, there, 0, 1, address) === 1 && there[0];
  try {
    for (const line of fs.readFileSync("/proc/self/maps", "latin1").split("\n")) {
      const [, from, to, inode] = /^([0-9a-f]+)-([0-9a-f]+) rw.. \S+ \S+ (\d+)/.exec(line) ?? [];
      // Without a file, whose pages may exist elsewhere. A mapping may continue past the end of these bytes.
      if (inode !== "0" || parseInt(to, 16) - parseInt(from, 16) < bytes.length) continue;
      const address = parseInt(from, 16);
      const first = bytes[0];
      if (read(address) !== first) continue;
      bytes[0] = first ^ 0xff;
      const same = read(address) === bytes[0];
      bytes[0] = first;
      if (same && read(address) === first) return address;
    }
  } catch {
    // All of memory is compared.
  }
  return undefined;
}

module.exports = { Watched };
