// Node's own host, node:wasi, which answers WASI calls if the job says that the host is live.

import { createRequire } from "module";

export const MODULE = "wasi_snapshot_preview1";

// The host cannot be as the job asks.
export class Refused extends Error {}

// Loads it without the warning that it is experimental, which would be the last output of every process that dies.
function quietly(action) {
  const warn = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return action();
  } finally {
    process.emitWarning = warn;
  }
}

// The class, or a message why there is none.
export function find() {
  const { node, uvwasi, bun } = process.versions;
  if (bun) return { lacks: `Bun ${bun} has a module wasi, but not the interface of Node's` };
  try {
    const { WASI } = quietly(() => createRequire(import.meta.url)("wasi"));
    return { name: `node:wasi of Node ${node}${uvwasi ? ` (uvwasi ${uvwasi})` : ""}`, WASI };
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    return { lacks: `Node ${node} has node:wasi only with the flag --experimental-wasi-unstable-preview1` };
  }
}

// Pairs as a JavaScript object, the form that node:wasi takes.
function object(pairs, what) {
  const made = Object.fromEntries(pairs);
  const names = Object.keys(made);
  if (names.length !== pairs.length || names.some((name, i) => name !== pairs[i][0])) {
    const given = pairs.map(([name]) => JSON.stringify(name)).join(", ");
    throw new Refused(`node:wasi takes ${what} as an object, which cannot hold these names in this order: ${given}`);
  }
  return made;
}

// The host's functions by name, for a guest with the settings in `setup`.
export function open({ WASI }, setup) {
  const options = {
    version: "preview1",
    args: setup.arguments,
    env: object(setup.environment, "the environment"),
    preopens: object(setup.directories.map(([host, guest]) => [guest, host]), "directories"),
    // An exit ends the call and not the process.
    returnOnExit: true,
  };
  try {
    return quietly(() => new WASI(options));
  } catch (error) {
    throw new Refused(`node:wasi: ${error.message}`);
  }
}

// Gives the host the guest's memory. The host starts an object that is not a module: the recorder makes the calls.
export function lend(wasi, memory) {
  wasi.initialize({ exports: { memory } });
}

// Calls the host. Returns how that ended, in the recorder's JSON without the values.
export function call(host, values) {
  try {
    return { Returned: host(...values) };
  } catch (error) {
    // What proc_exit throws is not an Error, and nothing else throws such a value.
    if (!(error instanceof Error)) return { Exited: values[0] | 0 };
    return { Trapped: error.message };
  }
}
