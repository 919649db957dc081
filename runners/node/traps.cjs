// Which trap an error of V8, of JavaScriptCore or of SpiderMonkey is.

"use strict";

// The traps' names, and their numbers in the trace's format.
const NUMBERS = {
  Unreachable: 0, MemoryOutOfBounds: 1, TableOutOfBounds: 2, UndefinedElement: 3, IndirectCallType: 4, IntegerOverflow: 5,
  IntegerDivideByZero: 6, InvalidConversion: 7, StackOverflow: 8, UnalignedAtomic: 9, NullReference: 10,
  ArrayOutOfBounds: 11, CastFailure: 12, UncaughtException: 13, OutOfMemory: 14, HostError: 15, Other: 16,
  IndirectCall: 17, Truncation: 18,
};

const MESSAGES = [
  [/^unreachable/i, "Unreachable"],
  [/memory access out of bounds|out of bounds memory access|data segment/i, "MemoryOutOfBounds"],
  [/unaligned/, "UnalignedAtomic"],
  [/table index is out of bounds|table (access )?out of bounds|out of bounds (call_indirect|table)|element segment/i, "TableOutOfBounds"],
  // V8 and JavaScriptCore have one message for a null element and a function of another type.
  [/null function or function signature|signature that does not match/, "IndirectCall"],
  [/null table entry|indirect call to null/, "UndefinedElement"],
  [/function signature mismatch|indirect call signature mismatch/, "IndirectCallType"],
  [/divide by zero|remainder by zero|division by zero/i, "IntegerDivideByZero"],
  [/divide result unrepresentable|integer overflow/i, "IntegerOverflow"],
  // Neither distinguishes a NaN from too large a number.
  [/unrepresentable in integer range|out of bounds trunc/i, "Truncation"],
  [/invalid conversion to integer/, "InvalidConversion"],
  [/null pointer|null reference|rethrowing null/i, "NullReference"],
  [/array (element )?(index|access) (is )?out of bounds|out of bounds array/i, "ArrayOutOfBounds"],
  [/new array is too large/, "OutOfMemory"],
  [/illegal cast|failed to cast|bad cast/, "CastFailure"],
];

// SpiderMonkey's words for any access out of bounds: what was accessed, the instruction tells.
const BOUNDS = /^index out of bounds/;

const { RuntimeError, Exception } = WebAssembly;

// The name of the trap behind an error; `undefined` if it is none.
function trap(error) {
  if (error instanceof RuntimeError) return MESSAGES.find(([words]) => words.test(error.message))?.[1] ?? "Other";
  if (error instanceof RangeError && /call stack/i.test(error.message)) return "StackOverflow";
  if (error?.name === "InternalError" && /too much recursion/.test(error.message)) return "StackOverflow";
  if (Exception && error instanceof Exception) return "UncaughtException";
  return undefined;
}

// The frames of a guest's stack, in the numbers of the module that runs.
function frames(error) {
  const places = [...String(error?.stack ?? "").matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)];
  return places.map(([, index, offset]) => ({ function: +index, offset: parseInt(offset, 16), name: null }));
}

// Which trap an access out of bounds at this place of a module is, by the instruction there.
function boundsOf(module, offset) {
  const [code, more] = module.subarray(offset, offset + 2);
  const memory = (code >= 0x28 && code <= 0x3e) || code === 0xfd || code === 0xfe || (code === 0xfc && more >= 8 && more <= 11);
  const table = code === 0x11 || code === 0x13 || code === 0x25 || code === 0x26 || (code === 0xfc && more >= 12 && more <= 17);
  return memory ? "MemoryOutOfBounds" : table ? "TableOutOfBounds" : code === 0xfb ? "ArrayOutOfBounds" : "Other";
}

// How a call of the guest ended that an error left: `null` is what an import threw. `module` is the one that runs.
function trapOf(error, module) {
  let name = error === null ? "HostError" : (trap(error) ?? "HostError");
  const [inner] = name === "Other" && BOUNDS.test(error.message) ? frames(error) : [];
  if (inner !== undefined) name = boundsOf(module, inner.offset);
  // An exception of the guest has no message.
  const message =
    name === "UncaughtException" ? "uncaught exception" : name === "HostError" ? "an import threw" : error.message;
  const stack = name === "HostError" ? [] : frames(error);
  return { number: NUMBERS[name], told: { trap: name, message, frames: stack } };
}

module.exports = { frames, trap, trapOf };
