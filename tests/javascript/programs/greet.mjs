// A module in AssemblyScript, which the test has compiled.

import { greet, sum } from "./greet.js";
console.log(greet("wörld"), sum(new Float64Array([1, 2.5, 4])));
