// The second thread that sends records (drain.cjs). In CommonJS, which every release runs on a second thread without asking the
// first for anything.

"use strict";

const { workerData } = require("worker_threads");
const { drain } = require("./drain.cjs");

// How often it looks, in milliseconds: what a crash can lose.
const PERIOD = 5;

const { shared, socket } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  Atomics.wait(never, 0, 0, PERIOD);
  drain(shared, socket, false);
}
