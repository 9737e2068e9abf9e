// Runs a job by `run()` of the built package, as a user's program does: options as JSON in the only argument, the
// result as JSON on standard output.
import { existsSync } from "node:fs";
import { run } from "../../dist/index.js";

/** `cancelWhen`: a file whose appearance cancels the run. */
const { records, cancelWhen, ...options } = JSON.parse(process.argv[2]);
if (cancelWhen !== undefined) {
  const controller = new AbortController();
  options.signal = controller.signal;
  const timer = setInterval(() => {
    if (!existsSync(cancelWhen)) return;
    clearInterval(timer);
    controller.abort();
  }, 10);
}
try {
  const result = await run({}, options);
  const kept = records ? ((await Array.fromAsync?.(result)) ?? (await collect(result))) : undefined;
  console.log(JSON.stringify({ ok: true, counters: result.counters, files: result.files, records: kept }));
} catch (error) {
  console.log(JSON.stringify({ ok: false, code: error.code, message: error.message, stack: error.stack }));
}

async function collect(records) {
  const all = [];
  for await (const record of records) all.push(record);
  return all;
}
