// A program in Go, with the host that Go brings along: esbuild translates a file of TypeScript.
import fs from "fs";
import { createRequire } from "module";
fs.writeFileSync(
  "length.ts",
  `enum Color { Red, Green }
  export const length = ({ x, y }: { x: number; y: number }): number => Math.sqrt(x ** 2 + y ** 2);
  console.log(length({ x: 3, y: 4 }), Color.Green);`,
);
process.argv.push("length.ts", "--minify", "--target=es2015");
createRequire(import.meta.url)("esbuild-wasm/bin/esbuild");
