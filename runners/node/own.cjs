// Whether the one who has called is Node itself, which has modules of its own.

"use strict";

function isOwn() {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 5;
  const frames = String(new Error().stack).split("\n").slice(1);
  Error.stackTraceLimit = stackTraceLimit;
  const caller = frames.find((frame) => !frame.includes(__dirname)) ?? "";
  return /[( ]node:/.test(caller);
}

module.exports = { isOwn };
