// What Node loads before a program that is to be recorded: node --require preload.cjs app.mjs. Its workers load this, too, and
// are not recorded.

"use strict";

require(require("worker_threads").isMainThread ? "./app.cjs" : "./worker.cjs");
