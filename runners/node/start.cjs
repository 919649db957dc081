// Starts runner.mjs where this Node can run it, and tells the recorder where it cannot. In the oldest JavaScript there is, so
// that every release comes to the end of this file.

"use strict";

var fs = require("fs");

// The first release in which a 64-bit number crosses between JavaScript and WebAssembly: the hook takes three of them.
var OLDEST = 15;

if (!process.versions.bun && parseInt(process.versions.node, 10) < OLDEST) {
  var words = "Node " + process.versions.node + " cannot pass 64-bit numbers to WebAssembly: the oldest release that works is " + OLDEST + ".0";
  var text = new Buffer(JSON.stringify({ SetupFailed: words }));
  var head = new Buffer(5);
  head.write("J", 0, "latin1");
  head.writeUInt32LE(text.length, 1);
  var bytes = Buffer.concat([head, text]);
  fs.writeSync(+process.argv[process.argv.length - 2], bytes, 0, bytes.length, null);
} else {
  require("./load.cjs");
}
