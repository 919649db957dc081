// Does everything that JavaScript can do to a module between and during calls, and prints what it sees. With an argument it
// ends itself inside of a host call.

import fs from "fs";
const bytes = fs.readFileSync(new URL("./app.wasm", import.meta.url));
let kept, e;
const imports = { env: {
  fill(at, n) { for (let i = 0; i < n; i++) kept[at + i] = i * 7 + 1; },
  grow() { e.memory.grow(2); kept = new Uint8Array(e.memory.buffer); kept[70000] = 9; return e.memory.buffer.byteLength / 65536; },
  fail(x) { kept[32] = x; if (x === 99) process.exit(3); if (x > 1) throw new Error("no " + x); },
  deep(x) { kept[600 + x] = x + 1; try { if (x === 1) e.trap(); } catch (err) { kept[700] = err.message.length; } return e.nest(x); },
  wide(a, b, c) { return a + BigInt(Math.round(b + c)); },
} };
const { module, instance } = await WebAssembly.instantiate(bytes, imports);
e = instance.exports;
kept = new Uint8Array(e.memory.buffer);
console.log(Object.keys(e).join(), e.sum.name, e.sum.length, String(e.sum), e.table.get(0) === e.table.get(0), instance instanceof WebAssembly.Instance, module instanceof WebAssembly.Module);
console.log(WebAssembly.Module.exports(module).length, WebAssembly.Module.imports(module).length, Object.isFrozen(e), e.sum === instance.exports.sum);
console.log("sum", e.sum(1000, 50));
console.log("bigger", e.bigger(), e.memory.buffer.byteLength);
for (const x of [0, 1, 2]) { try { console.log("risky", e.risky(x)); } catch (err) { console.log("caught", err.message); } }
console.log("nest", e.nest(3));
try { e.trap(); } catch (err) { console.log(err instanceof WebAssembly.RuntimeError, err.message); }
e.counter.value = 40;
console.log("count", e.count(), e.counter.value);
console.log("indirect", e.indirect(1, 5), e.table.get(1)(6));
e.table.set(2, e.table.get(0)); e.table.set(1, null); e.table.grow(3); e.table.set(6, e.table.get(0));
console.log("indirect", e.indirect(2, 5), e.indirect(6, 8), e.table.length);
try { e.indirect(1, 5); } catch (err) { console.log(err.message); }
console.log("wider", e.wider(-5n, 1.5, NaN === 1 ? 0 : 2.25));
try { e.wider(1); } catch (err) { console.log(err.constructor.name, err.message); }
try { new WebAssembly.Instance(module, {}); } catch (err) { console.log(err.message); }
try { await WebAssembly.instantiate(module, {env: {fill: 1}}); } catch (err) { console.log(err.message); }
try { await WebAssembly.instantiate(new Uint8Array(3)); } catch (err) { console.log(err.message); }
kept[5] = 5;
if (process.argv[2]) e.stop();
