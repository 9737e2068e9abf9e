// The test of a new job. The same file runs by `millrace test`, by `node --test` where Node reads TypeScript, and in
// vitest, which does not know tests of Node's runner: so the runner is chosen when the file is loaded.

/** `body` are the lines of the test's function. */
export function testText(name: string, body: string): string {
  return `import assert from "node:assert/strict";
import { runInline } from "millrace/testing";
import job from "./${name}.ts";

// Node's own test runner, or vitest where vitest runs this file.
const { test }: typeof import("node:test") = await import(process.env["VITEST"] ? "vitest" : "node:test");

test("${name}", async () => {
  // Runs the whole job in this process, on these records: breakpoints work.
${body}});
`;
}
