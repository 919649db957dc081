// Records on their way to the recorder. The guest's thread appends them to memory that it shares with a second one
// (drainer.cjs); both send what waits there, so that a guest that hangs keeps nothing back. Whoever sends holds the lock.

"use strict";

const fs = require("fs");
const path = require("path");
const { Worker } = require("worker_threads");

// Words at the front: the lock, bytes appended (by the guest's thread), bytes sent (under the lock).
const LOCK = 0;
const USED = 1;
const SENT = 2;
const HEAD = 16;

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

// Waits until nobody else sends, for so many turns of a millisecond at most; answers with the words at the front, or null.
function lock(shared, turns = Infinity) {
  const state = new Int32Array(shared, 0, HEAD / 4);
  for (let turn = 0; Atomics.compareExchange(state, LOCK, 0, 1) !== 0; turn++) {
    if (turn === turns) return null;
    Atomics.wait(state, LOCK, 1, 1);
  }
  return state;
}

function unlock(state) {
  Atomics.store(state, LOCK, 0);
  Atomics.notify(state, LOCK, 1);
}

// Sends what waits, under the lock; answers with how much has been appended.
function sendRest(shared, socket, state) {
  const used = Atomics.load(state, USED);
  const sent = Atomics.load(state, SENT);
  if (used > sent) write(socket, frame("H", [new Uint8Array(shared, HEAD + sent, used - sent)]));
  return used;
}

// Sends what waits. The guest's thread, which appends nothing meanwhile, `empties` the memory, too.
function drain(shared, socket, empties) {
  const state = lock(shared);
  const used = sendRest(shared, socket, state);
  if (empties) Atomics.store(state, USED, 0);
  Atomics.store(state, SENT, empties ? 0 : used);
  unlock(state);
}

// Starts the second thread.
function help(shared, socket) {
  // Without what Node was told to load first.
  const worker = new Worker(path.join(__dirname, "drainer.cjs"), { workerData: { shared, socket }, execArgv: [] });
  // Without a recorder it has nobody to write to, which the guest's thread finds out by itself.
  worker.on("error", () => {});
  worker.unref();
}

module.exports = { drain, frame, help, lock, sendRest, unlock, write, HEAD, USED };
