// The command line: words to values, and each command's file loaded only when it runs.
import { Command, CommanderError, type Option } from "commander";
import type { Host } from "../base/system/host.ts";
import { version } from "../base/version.ts";
import { importBy } from "../job/load/import-module.ts";
import { addClusterCommands } from "./cluster-commands.ts";
import { addJobCommands } from "./job-commands.ts";
import { addColourOption } from "./options.ts";
import { type ColourMode, chooseColours, onStderr } from "./screen/colour.ts";
import { errorEvent, errorLines, exitCodeOf } from "./screen/error-text.ts";
import { eventLine, eventSink } from "./screen/event-stream.ts";

export function program(): Command {
  const millrace = new Command("millrace")
    .description("MapReduce in TypeScript: run a job file over data larger than memory, on all cores.")
    .version(version, "-V, --version")
    .helpCommand(false)
    .showHelpAfterError("(--help shows what there is)")
    .configureHelp({ showGlobalOptions: false, optionDescription: describedOption })
    .addHelpText(
      "after",
      `
Examples:
  millrace run word-count.ts 'books/*.txt' -o counts      run a job, publish its result in ./counts
  millrace run word-count.ts 'books/*.txt' | head         print the result
  millrace init page-views                                write a job and a test for it to begin with

millrace COMMAND --help shows what a command takes. Exit codes: 0 done, 1 the job's code failed,
2 wrong usage, 3 bad input or output, 4 the machine or the cluster failed (trying again may help), 130 interrupted.`,
    );
  addJobCommands(millrace);
  addClusterCommands(millrace);
  addColourOption(millrace);
  return millrace;
}

/** With its default only where that says something: `{}` and `false` don't. */
function describedOption({ description, defaultValue, defaultValueDescription }: Option): string {
  const shown = defaultValueDescription ?? (typeof defaultValue === "number" ? String(defaultValue) : undefined);
  return shown === undefined ? description : `${description} (default: ${shown})`;
}

async function runCommandLine(): Promise<void> {
  // The reader of progress and messages may leave, and the run goes on (`millrace run … 2>&1 | head`).
  process.stderr.on("error", () => {});
  const command = program();
  for (const sub of [command, ...command.commands]) sub.exitOverride();
  command.hook("preAction", (_, action) => chooseColours(action.opts<{ color?: ColourMode }>().color));
  try {
    await command.parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end with 0; a wrong word has been explained already.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    if (process.argv.includes("--json")) eventSink.write(eventLine(errorEvent(error)));
    else for (const line of onStderr(() => errorLines(error))) process.stderr.write(`${line}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

export async function main({ warmed, importModule }: Host): Promise<void> {
  importBy(importModule);
  await runCommandLine();
  if (process.argv[2] === "run" && !process.exitCode) warmed();
  // Everything is awaited and closed by now. What Node would still wait for (esbuild's process, pipes of ended slots)
  // is not needed.
  process.exit();
}
