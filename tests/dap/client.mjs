// Drives an adapter by the client that adapters of VS Code are tested with.
// Arguments: the folder with its package, the command, two traces.
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, command, lhs, rhs] = process.argv.slice(2);
const { DebugClient } = createRequire(join(folder, "package.json"))("@vscode/debugadapter-testsupport");
const client = new DebugClient(command, "dap", "forkpoint");
client.defaultTimeout = 60000;
await client.start();

const initialized = client.waitForEvent("initialized");
await client.initializeRequest();
await client.launchRequest({ lhs, rhs });
await initialized;
await client.setExceptionBreakpointsRequest({ filters: ["divergence", "trap"] });
const [stopped] = await Promise.all([client.waitForEvent("stopped"), client.configurationDoneRequest()]);
console.log(`stopped: ${stopped.body.reason}, ${stopped.body.description}`);
const { threads } = (await client.threadsRequest()).body;
console.log(`threads: ${threads.map((thread) => thread.name).join(", ")}`);
const [back] = await Promise.all([client.waitForEvent("stopped"), client.stepBackRequest({ threadId: 1 })]);
const before = (await client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0];
console.log(`stepBack: ${back.body.reason}, ${before.name}`);
const [again] = await Promise.all([client.waitForEvent("stopped"), client.continueRequest({ threadId: 1 })]);
console.log(`continue: ${again.body.reason}, ${again.body.description}`);
const { stackFrames } = (await client.stackTraceRequest({ threadId: 1 })).body;
console.log(`frame: ${stackFrames[0].name} ${stackFrames[0].line}`);
await client.disconnectRequest({});
await client.stop();
