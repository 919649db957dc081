// An image.

import fs from "fs"; import { createHash } from "crypto";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
await initWasm(fs.readFileSync(new URL("./node_modules/@resvg/resvg-wasm/index_bg.wasm", import.meta.url)));
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="90"><defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1" stop-color="blue"/></linearGradient></defs><rect width="120" height="90" fill="url(#g)"/><circle cx="60" cy="45" r="30" fill="lime" opacity=".6"/><path d="M10 80 Q 60 10 110 80" stroke="black" fill="none" stroke-width="3"/></svg>`;
const r = new Resvg(svg, { fitTo: { mode: "width", value: 200 } });
const png = r.render().asPng();
console.log(png.length, createHash("sha256").update(png).digest("hex"));
