// Host calls: the recorder answers them, or has Node's own host do so (docs/runner-protocol.md, section 9).

import { fromEngine, toEngine } from "./protocol.mjs";
import { call } from "./wasi.mjs";

// The guest ends, by an answer of the recorder.
export class Exited extends Error {}
export class Stopped extends Error {}
export class HostTrap extends Error {}

// An imported function of this type. `guest()` returns the memories, in the job's order, once they exist; `own` is
// the function of Node's own host, if that is live; `enter` calls the guest.
export function answered(number, type, recorder, hooks, guest, own, enter) {
  return (...values) => {
    hooks.send();
    const args = values.map((value, i) => fromEngine(value, type.parameters[i]));
    recorder.message(`{"HostCall":{"function":${number},"arguments":[${args}]}}`);
    for (;;) {
      const { name, content, writes } = recorder.order();
      if (name === "Stop") throw new Stopped();
      if (name === "Read") {
        send(recorder, content, guest());
        continue;
      }
      if (name === "Enter") {
        entered(content, writes, recorder, hooks, guest(), enter);
        continue;
      }
      if (name === "CallHost" && own !== undefined) {
        recorder.message(`{"HostAnswered":${ended(call(own, values), type)}}`);
        continue;
      }
      if (name !== "Answer") throw new Error(`the order ${name} in the middle of a host call`);
      const results = answer(content, writes, guest());
      hooks.look();
      return results;
    }
  };
}

// How a call of Node's own host ended, in the recorder's JSON.
function ended(end, type) {
  if (!("Returned" in end)) return JSON.stringify(end);
  return `{"Returned":[${type.results.map((result) => fromEngine(end.Returned, result))}]}`;
}

// The host calls the guest, for a program that lives in JavaScript.
function entered(content, writes, recorder, hooks, memories, enter) {
  change(content.grows, writes, memories);
  hooks.look();
  const ended = enter(content);
  hooks.send();
  recorder.message(`{"Entered":${ended}}`);
}

// What such a host does between two calls.
export function between(recorder, hooks, memories, enter) {
  hooks.send();
  recorder.message('"Between"');
  for (;;) {
    const { name, content, writes } = recorder.order();
    if (name === "Enter") entered(content, writes, recorder, hooks, memories, enter);
    else if (name === "Answer") return answer(content, writes, memories);
    else if (name === "Stop") throw new Stopped();
    else throw new Error(`the order ${name} between two calls`);
  }
}

function send(recorder, ranges, memories) {
  ranges.forEach(({ memory, address, length }, number) => {
    const { buffer } = memories[memory];
    const [start, end] = [address, address + length].map((at) => Math.min(at, buffer.byteLength));
    recorder.range(number, Buffer.from(buffer, start, end - start));
  });
  recorder.message('"HostReadEnd"');
}

function answer({ grows, end }, writes, memories) {
  change(grows, writes, memories);
  if (end === "Stopped") throw new Stopped();
  if ("Trapped" in end) throw new HostTrap(end.Trapped);
  if ("Exited" in end) throw new Exited(end.Exited);
  const results = end.Returned.map(toEngine);
  return results.length > 1 ? results : results[0];
}

// Does to memories what the host did.
function change(grows, writes, memories) {
  for (const { memory, pages } of grows) {
    try {
      memories[memory].grow(pages);
    } catch {
      throw new HostTrap(`memory ${memory} cannot be grown by ${pages} pages, as the host did`);
    }
  }
  for (const { memory, address, bytes } of writes) {
    const { buffer } = memories[memory];
    if (address + BigInt(bytes.length) > BigInt(buffer.byteLength)) {
      throw new HostTrap(`the host log writes ${bytes.length} bytes at ${address} of memory ${memory}, which is smaller`);
    }
    new Uint8Array(buffer, Number(address), bytes.length).set(bytes);
  }
}
