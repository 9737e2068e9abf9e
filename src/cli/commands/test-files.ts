// `millrace test` of files that are tests themselves (*.test.ts): runs them, one after the other.
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { exitCodes } from "../../base/error-codes.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { runTestFile } from "../test/test-file.ts";
import { isTestFile } from "../test/test-name.ts";

/** `options` are the flags that were given, which are none of a test's. */
export async function testFilesCommand(files: readonly string[], options: readonly string[]): Promise<void> {
  const other = files.find((file) => !isTestFile(file));
  if (other !== undefined) {
    throw new MillraceError(
      "wrong-usage",
      `${files[0]} is a test, and ${other} is none: give tests (*.test.ts), or a job and a sample of its input`,
    );
  }
  if (options.length > 0) {
    throw new MillraceError("wrong-usage", `${files[0]} is a test, which takes no options: leave out ${options[0]}`);
  }
  for (const file of files) {
    if (!existsSync(file) || !statSync(file).isFile())
      throw new MillraceError("wrong-usage", `there is no test ${resolve(file)}`);
  }
  const print = linePrinter();
  for (const file of files) {
    const passed = await runTestFile(resolve(file));
    print(`${passed ? pc.green("passed") : pc.red("FAILED")} ${printable(file)}`);
    if (!passed) process.exitCode = exitCodes.job;
  }
}
