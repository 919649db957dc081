// How a thread of a program in Node reaches the recorder: a socket that the program inherits, and another thread that sends
// whole records, too, so that a program that hangs or is killed keeps nothing back.

"use strict";

const fs = require("fs");
const { drain, frame, help, lock, unlock, write } = require("./drain.cjs");

class Channel {
  // `shared` is memory for records that wait.
  constructor(socket, shared) {
    this.socket = socket;
    this.shared = shared;
  }

  room() {
    return this.shared;
  }

  // Starts the second thread.
  help() {
    help(this.shared, this.socket);
  }

  // Sends what waits; a thread that appends none of it does not empty the memory.
  drain(empties = true) {
    drain(this.shared, this.socket, empties);
  }

  write(tag, parts) {
    const state = lock(this.shared);
    write(this.socket, frame(tag, parts));
    unlock(state);
  }

  // Waits for the recorder's next order.
  order() {
    const head = this.read(5);
    const order = JSON.parse(this.read(head.readUInt32LE(1)).toString());
    return typeof order === "string" ? { [order]: true } : order;
  }

  read(length) {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const read = fs.readSync(this.socket, bytes, at, length - at, null);
      // Nobody is listening: there is nothing to record any more.
      if (read === 0) process.kill(process.pid, "SIGKILL");
      at += read;
    }
    return bytes;
  }
}

module.exports = { Channel };
