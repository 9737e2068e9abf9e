// The scenarios of test/scenarios: what the scheduler does, in words that can be read without knowing the code.
// MILLRACE_REWRITE=1 writes their outputs again; read the difference before you commit it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runScenario } from "../../test/schedule/transcript.ts";

const folder = fileURLToPath(new URL("../../test/scenarios/", import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));

test.each(names)("%s", (name) => {
  const written = readFileSync(folder + name, "utf8");
  const actual = runScenario(written);
  if (process.env["MILLRACE_REWRITE"] === "1") writeFileSync(folder + name, actual);
  else expect(actual).toBe(written);
});

test("there are scenarios", () => {
  expect(names.length).toBeGreaterThan(9);
});
