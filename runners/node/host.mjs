// Host calls: the recorder answers them, or has Node's own host do so (docs/runner-protocol.md, section 9).

import { fromEngine, toEngine } from "./protocol.mjs";
import { call } from "./wasi.mjs";

// The guest is over, by an answer of the recorder.
export class Exited extends Error {}
export class Stopped extends Error {}
export class HostTrap extends Error {}

const KINDS = ["I32", "I64", "F32", "F64", "V128", "Reference"];

// An imported function of this type. `guest()` gives the memories, in the job's order, once there are any; `own` is the
// function of Node's own host, where that is live.
export function answered(number, type, recorder, hooks, guest, own) {
  return (...values) => {
    hooks.send();
    const args = values.map((value, i) => fromEngine(value, type.parameters[i]));
    recorder.message(`{"HostCall":{"function":${number},"arguments":[${args}]}}`);
    for (;;) {
      const order = recorder.byte();
      if (order === 1) throw new Stopped();
      if (order === 3) {
        send(recorder, guest());
        continue;
      }
      if (order === 5 && own !== undefined) {
        recorder.message(`{"HostAnswered":${ended(call(own, values), type)}}`);
        continue;
      }
      if (order !== 4) throw new Error(`order ${order} in the middle of a host call`);
      const results = answer(recorder, guest());
      hooks.look();
      return results;
    }
  };
}

// How a call of Node's own host ended, as the recorder's JSON.
function ended(end, type) {
  if (!("Returned" in end)) return JSON.stringify(end);
  return `{"Returned":[${type.results.map((result) => fromEngine(end.Returned, result))}]}`;
}

function send(recorder, memories) {
  const ranges = recorder.list(() => [recorder.word(), recorder.long(), recorder.long()]);
  ranges.forEach(([memory, address, length], number) => {
    const { buffer } = memories[memory];
    const clamp = (at) => Number(at < BigInt(buffer.byteLength) ? at : BigInt(buffer.byteLength));
    recorder.range(number, Buffer.from(buffer, clamp(address), clamp(address + length) - clamp(address)));
  });
  recorder.message('"HostReadEnd"');
}

function answer(recorder, memories) {
  const grows = recorder.list(() => [recorder.word(), recorder.long()]);
  const writes = recorder.list(() => [recorder.word(), recorder.long(), recorder.bytes(recorder.word())]);
  const end = recorder.byte();
  const results = end === 0 ? recorder.list(() => result(recorder.byte(), recorder.bytes(16))) : [];
  const words = end === 1 ? recorder.bytes(recorder.word()).toString() : "";
  const code = end === 2 ? recorder.word() | 0 : 0;
  for (const [memory, delta] of grows) {
    try {
      memories[memory].grow(Number(delta));
    } catch {
      throw new HostTrap(`memory ${memory} cannot be grown by ${delta} pages, as the host did`);
    }
  }
  for (const [memory, address, bytes] of writes) {
    const { buffer } = memories[memory];
    if (address + BigInt(bytes.length) > BigInt(buffer.byteLength)) {
      throw new HostTrap(`the host log writes ${bytes.length} bytes at ${address} of memory ${memory}, which is smaller`);
    }
    new Uint8Array(buffer, Number(address), bytes.length).set(bytes);
  }
  if (end === 1) throw new HostTrap(words);
  if (end === 2) throw new Exited(code);
  if (end === 3) throw new Stopped();
  return results.length > 1 ? results : results[0];
}

// A value of the protocol as JavaScript's.
function result(kind, bytes) {
  const numbers = {
    I32: () => bytes.readInt32LE(0),
    I64: () => bytes.readBigInt64LE(0),
    F32: () => bytes.readUInt32LE(0),
    F64: () => bytes.readBigUInt64LE(0),
    Reference: () => null,
  };
  const type = KINDS[kind];
  if (!numbers[type]) throw new TypeError(`JavaScript has no values of type ${type}`);
  return toEngine({ [type]: numbers[type]() });
}
