// What the threads of a program in Node share: who asks the recorder, which of them has the recorded module, and the memory
// where its records wait. One socket leads to the recorder, so before there is a recorded module the threads ask in turn, and
// afterwards its own thread alone says anything, but for the end: when the program ends, or ends that thread, the thread is
// asked to end the recording, and if it does not answer, the recording is cut there.

"use strict";

const {
  BroadcastChannel, getEnvironmentData, isMainThread, setEnvironmentData, threadId, Worker,
} = require("worker_threads");
const { frame, lock, sendRest, write } = require("./drain.cjs");

// Words: who asks, the recorded thread's number and one more, how far the recording's end has come.
const ASKS = 0;
const OWNER = 1;
const END = 2;
// Ends: the thread has heard, and it is over.
const HEARD = 1;
const OVER = 2;
// How long a thread may take to hear that it is to end, and to end, in milliseconds; and another to get its answer.
const HEAR = 500;
const FINISH = 60000;
const ANSWER = 10000;

class Threads {
  // `room` is how many bytes the memory for records has.
  constructor(socket, room) {
    this.socket = socket;
    // By a name that the program does not have.
    const known = getEnvironmentData(__filename);
    const shared = known?.room === undefined ? { state: new SharedArrayBuffer(12), room: new SharedArrayBuffer(room) } : known;
    setEnvironmentData(__filename, shared);
    this.state = new Int32Array(shared.state);
    this.room = shared.room;
  }

  // Whether this thread has the recorded module.
  get isHere() {
    return Atomics.load(this.state, OWNER) === threadId + 1;
  }

  // Whether another thread has it.
  get isElsewhere() {
    const owner = Atomics.load(this.state, OWNER);
    return owner !== 0 && !this.isHere;
  }

  // Asks the recorder what to do with a module, as the only thread that does; `undefined` if that is known already.
  ask(question) {
    const { state } = this;
    if (this.isHere) return question();
    const over = Date.now() + ANSWER;
    while (Atomics.compareExchange(state, ASKS, 0, 1) !== 0) {
      // A thread that was ended while it asked.
      if (Date.now() > over) return undefined;
      Atomics.wait(state, ASKS, 1, 10);
    }
    const answer = this.isElsewhere ? undefined : question();
    if (answer) Atomics.store(state, OWNER, threadId + 1);
    Atomics.store(state, ASKS, 0);
    Atomics.notify(state, ASKS, 1);
    return answer;
  }

  // Has this thread, which has the recorded module, listen for its end.
  listen(end) {
    if (isMainThread) return;
    const bell = new BroadcastChannel(__filename);
    bell.onmessage = () => {
      Atomics.store(this.state, END, HEARD);
      Atomics.notify(this.state, END);
      end();
    };
    // It keeps no thread alive.
    bell.unref();
  }

  // The recording is over.
  over() {
    Atomics.store(this.state, END, OVER);
    Atomics.notify(this.state, END);
  }

  // Has another thread end the recording, if it has the recorded module.
  endElsewhere(why) {
    const { state } = this;
    if (!this.isElsewhere || Atomics.load(state, END) === OVER) return;
    const bell = new BroadcastChannel(__filename);
    bell.postMessage(null);
    bell.close();
    Atomics.wait(state, END, 0, HEAR);
    Atomics.wait(state, END, HEARD, FINISH);
    if (Atomics.load(state, END) !== 0) return;
    // It is busy. The lock is kept, so that it cannot say any more.
    const words = lock(this.room, ANSWER);
    if (words === null) return;
    sendRest(this.room, this.socket, words);
    for (const message of [{ Cut: why }, "End"]) write(this.socket, frame("J", [Buffer.from(JSON.stringify(message))]));
    this.over();
  }

  // Looks out for threads that the program ends.
  watch() {
    const { endElsewhere } = this;
    const { terminate } = Worker.prototype;
    Worker.prototype.terminate = new Proxy(terminate, {
      apply: (native, self, values) => {
        if (self.threadId + 1 === Atomics.load(this.state, OWNER)) {
          endElsewhere.call(this, "the program ended the thread that ran the module");
        }
        return Reflect.apply(native, self, values);
      },
    });
  }
}

module.exports = { Threads };
