// What a program's workers instantiate is not recorded: the recorder finds their modules in files, and lists them. It is reached
// by the main thread alone, which may be waiting for this one.

"use strict";

const fs = require("fs");
const path = require("path");
const { threadId } = require("worker_threads");
const { standBehind } = require("./behind.cjs");
const { isOwn } = require("./own.cjs");

// Modules that are listed of one worker, and how long they may be, in bytes.
const MOST = 20;
const LONGEST = 1 << 26;

let modules = 0;

function asked(bytes) {
  if (modules >= MOST || bytes.length > LONGEST) return null;
  try {
    fs.writeFileSync(path.join(__dirname, `worker-${threadId}-${modules++}.wasm`), bytes, { flag: "wx" });
  } catch {
    // The program is over, and the recorder with it.
  }
  return null;
}

standBehind({ wire: null, system: null, refuse() {}, isOwn, asked, help() {} });
