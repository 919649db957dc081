// How a program in Node reaches the recorder: a socket that it inherits, and a second thread that sends whole records, too, so
// that a program that hangs or is killed keeps nothing back.

"use strict";

const fs = require("fs");
const { drain, frame, help, write } = require("./drain.cjs");

class Channel {
  constructor(socket) {
    this.socket = socket;
    this.shared = null;
  }

  // Memory for records that wait.
  room(length) {
    this.shared = new SharedArrayBuffer(length);
    return this.shared;
  }

  // Starts the second thread.
  help() {
    help(this.shared, this.socket);
  }

  drain() {
    drain(this.shared, this.socket);
  }

  write(tag, parts) {
    write(this.socket, frame(tag, parts));
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
