// Starts words.go, with the host that the compiler brings along.

import fs from "fs";
import "./wasm_exec.js";

const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(fs.readFileSync(new URL("./main.wasm", import.meta.url)), go.importObject);
await go.run(instance);
