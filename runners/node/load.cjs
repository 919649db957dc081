// What start.cjs must not hold: older releases do not even read it.

"use strict";

import("./runner.mjs");
