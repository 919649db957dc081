// A memory of the guest, compared with a copy of it: what has JavaScript changed? Only pages that exist are compared where the
// system tells which ones do: those that nobody has touched are zero.

"use strict";

const PAGE = 4096;
// Most bytes that are compared at once.
const COARSE = 1 << 20;
// Equal bytes between two changes that are told as one.
const GAP = 16;

// `system` is how bytes are seen and compared here: pages.cjs in Node, page.cjs in a browser.
class Watched {
  constructor(memory, system) {
    this.memory = memory;
    this.system = system;
    // What compares memory and has the copy, if there is something faster than loops.
    this.comparer = system.comparer?.(memory) ?? null;
    this.buffer = null;
    this.bytes = system.zeros(0);
    this.copy = system.zeros(0);
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
    this.bytes = this.system.seen(buffer);
    // Calls its argument with the start and the end of stretches that hold all pages that exist.
    this.existing = this.system.existing(this.bytes);
    const pages = Math.ceil(this.bytes.length / PAGE);
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
    if (this.comparer !== null) {
      this.copy = this.comparer.grown(this.bytes.length);
      return;
    }
    const copy = this.system.zeros(this.bytes.length);
    copy.set(this.copy);
    this.copy = copy;
  }

  // The copy becomes what memory is. The guest, whose writes are known, had control.
  keep() {
    // It may have grown memory and written nothing.
    this.fit();
    if (this.written.length === 0) return;
    for (const page of this.written) {
      this.dirty[page] = 0;
      this.keepPart(page * PAGE, (page + 1) * PAGE);
    }
    this.written.length = 0;
  }

  keepPart(start, end) {
    this.copy.set(this.bytes.subarray(start, end), start);
    this.comparer?.keeps(start, end);
  }

  // The same when nothing is known of what has been written.
  keepAll() {
    this.fit();
    if (this.comparer !== null) return this.differing((start, end) => this.keepPart(start, end));
    this.existing((start, end) => this.keepPart(start, end));
  }

  // Calls `found` with the start and the end of every page that differs from the copy.
  differing(found) {
    const { bytes, copy, comparer } = this;
    if (comparer !== null) {
      const pages = bytes.length / PAGE;
      for (let page = comparer.next(0, pages); page < pages; page = comparer.next(page + 1, pages)) {
        found(page * PAGE, (page + 1) * PAGE);
      }
      return;
    }
    const compare = (start, end) => {
      if (this.system.equal(bytes, copy, start, end)) return;
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
      this.keepPart(start, end);
    });
    if (from >= 0) told(from, to);
  }
}

module.exports = { Watched };
