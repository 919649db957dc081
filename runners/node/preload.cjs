// What Node loads before a program that is to be recorded: node --require preload.cjs app.mjs. Its workers load this, too.

"use strict";

require("./app.cjs");
