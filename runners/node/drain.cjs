// Records on their way to the recorder. The main thread appends them to memory that it shares with a second thread; both
// send what waits there, so that a guest that hangs keeps nothing back. Whoever sends holds the lock.
//
// In CommonJS, which every release runs on a second thread without asking the first for anything.

"use strict";

const fs = require("fs");
const { isMainThread, workerData, Worker } = require("worker_threads");

// Words at the front: the lock, bytes appended (by the main thread), bytes sent (under the lock).
const LOCK = 0;
const USED = 1;
const SENT = 2;
const HEAD = 16;

// How often the second thread looks, in milliseconds: what a crash can lose.
const PERIOD = 5;

// A frame in one write.
function frame(tag, parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = Buffer.allocUnsafe(5 + length);
  bytes.write(tag, 0, "latin1");
  bytes.writeUInt32LE(length, 1);
  let at = 5;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function write(socket, bytes) {
  for (let sent = 0; sent < bytes.length; ) sent += fs.writeSync(socket, bytes, sent);
}

// Sends what waits. The main thread, which appends nothing meanwhile, empties the buffer, too.
function drain(shared, socket) {
  const state = new Int32Array(shared, 0, HEAD / 4);
  while (Atomics.compareExchange(state, LOCK, 0, 1) !== 0) Atomics.wait(state, LOCK, 1, 1);
  const used = Atomics.load(state, USED);
  const sent = Atomics.load(state, SENT);
  if (used > sent) write(socket, frame("H", [new Uint8Array(shared, HEAD + sent, used - sent)]));
  if (isMainThread) Atomics.store(state, USED, 0);
  Atomics.store(state, SENT, isMainThread ? 0 : used);
  Atomics.store(state, LOCK, 0);
  Atomics.notify(state, LOCK, 1);
}

// Starts the second thread.
function help(shared, socket) {
  // Without what Node was told to load first.
  const worker = new Worker(__filename, { workerData: { shared, socket }, execArgv: [] });
  // Without a recorder it has nobody to write to, which the main thread finds out by itself.
  worker.on("error", () => {});
  worker.unref();
}

if (isMainThread) {
  module.exports = { drain, frame, help, write, HEAD, USED };
} else {
  const { shared, socket } = workerData;
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    Atomics.wait(never, 0, 0, PERIOD);
    drain(shared, socket);
  }
}
