// A compilation.

import asc from "assemblyscript/asc";
const { error, stdout, stderr, text } = await asc.compileString(`
export function fib(n: i32): i32 { let a = 0, b = 1; for (let i = 0; i < n; i++) { const t = a + b; a = b; b = t } return a }
export class P { constructor(public x: f64, public y: f64) {} len(): f64 { return Math.sqrt(this.x*this.x+this.y*this.y) } }
`, { optimizeLevel: 2 });
console.log(error, text?.length, stderr.toString().length);
