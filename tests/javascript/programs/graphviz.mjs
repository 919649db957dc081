// A graph, and a text that is none.

import { createHash } from "crypto";
import { Graphviz } from "@hpcc-js/wasm-graphviz";
const g = await Graphviz.load();
const svg = g.dot("digraph { a -> b -> c; b -> d; a -> d; subgraph cluster { x; y -> x } y -> c }");
console.log(g.version(), svg.length, createHash("sha256").update(svg).digest("hex"));
try { g.dot("digraph { a -> "); } catch (e) { console.log(String(e).slice(0, 80)); }
