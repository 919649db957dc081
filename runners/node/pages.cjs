// How a memory's bytes are seen and compared in Node. The system's page tables tell which pages of a memory exist; where they
// cannot be read, all of it is compared.

"use strict";

const fs = require("fs");

const PAGE = 4096;
// An entry of the page tables has eight bytes, and in the last two bits says whether a page is present or swapped out.
const ENTRY = 8;
const EXISTS = 0xc0000000;

const zeros = (length) => Buffer.alloc(length);
const seen = (buffer) => Buffer.from(buffer);
const equal = (bytes, others, start, end) => bytes.compare(others, start, end, start, end) === 0;

const { resourceUsage } = process;

// How often the process has got a page so far.
function faults() {
  const { minorPageFault, majorPageFault } = resourceUsage.call(process);
  return minorPageFault + majorPageFault;
}

function existing(bytes) {
  const address = addressOf(bytes);
  const entries = new Uint32Array((Math.ceil(bytes.length / PAGE) * ENTRY) / 4);
  // A page comes into being by a fault, and reading the tables costs ten times as much as asking how many there were.
  const byFaults = address !== undefined && !comesUnasked(address);
  let known = { at: -1, stretches: [] };
  return (found) => {
    if (address === undefined) return found(0, bytes.length);
    const now = byFaults ? faults() : -1;
    if (now < 0 || now !== known.at) {
      if (!readPages(address, entries)) return found(0, bytes.length);
      known = { at: now, stretches: stretches(entries, bytes.length) };
    }
    for (const [from, to] of known.stretches) found(from, to);
  };
}

// The stretches that hold all pages that exist.
function stretches(entries, length) {
  const found = [];
  let start = -1;
  for (let word = 1, page = 0; word < entries.length; word += 2, page++) {
    if ((entries[word] & EXISTS) !== 0) {
      if (start < 0) start = page;
    } else if (start >= 0) {
      found.push([start * PAGE, page * PAGE]);
      start = -1;
    }
  }
  if (start >= 0) found.push([start * PAGE, length]);
  return found;
}

const HUGE = "/sys/kernel/mm/transparent_hugepage";

// Whether the system may join pages there to a large one, and so make some that nobody has touched: then no fault tells of them.
function comesUnasked(address) {
  try {
    const mode = (file) => /\[(\w+)\]/.exec(fs.readFileSync(file, "latin1"))?.[1];
    if (/^THP_enabled:\s*0$/m.test(fs.readFileSync("/proc/self/status", "latin1"))) return false;
    // One for all sizes, and one for each that memory of a process can have.
    const sizes = fs.readdirSync(HUGE).filter((name) => name.startsWith("hugepages-"));
    const files = sizes.map((name) => `${HUGE}/${name}/enabled`).filter((file) => fs.existsSync(file));
    const modes = [`${HUGE}/enabled`, ...files].map(mode);
    if (!modes.every((mode) => ["never", "madvise", "inherit"].includes(mode))) return true;
    // Or it was asked to, for this mapping.
    const mappings = fs.readFileSync("/proc/self/smaps", "latin1").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
    const own = mappings.find((mapping) => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(mapping) ?? [];
      return parseInt(from, 16) <= address && address < parseInt(to, 16);
    });
    const flags = /^VmFlags:(.*)$/m.exec(own ?? "")?.[1];
    return flags === undefined || flags.split(" ").includes("hg");
  } catch {
    return true;
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

module.exports = { zeros, seen, equal, existing };
