// A program in JavaScript inside of JavaScript, with a function of the outer one and an exception.

import { getQuickJS } from "quickjs-emscripten";
const QuickJS = await getQuickJS();
const vm = QuickJS.newContext();
const logHandle = vm.newFunction("log", (...args) => { console.log("log:", ...args.map(vm.dump)); });
vm.setProp(vm.global, "log", logHandle); logHandle.dispose();
const r = vm.evalCode(`
 const words = []; for (let i = 0; i < 200; i++) words.push("w" + (i * 7919) % 101);
 const counts = {}; for (const w of words) counts[w] = (counts[w] || 0) + 1;
 log(Object.keys(counts).length, JSON.stringify(counts).length);
 try { null.x } catch (e) { log(e.message) }
 function fib(n) { return n < 2 ? n : fib(n-1) + fib(n-2) } fib(15)`);
console.log("fib", vm.dump(vm.unwrapResult(r)));
const bad = vm.evalCode(`throw new TypeError("boom")`);
console.log(vm.dump(bad.error)); bad.error.dispose();
vm.dispose();
