// The command line: words to values, and each command's file loaded only when it runs.

import { Argument, Command, CommanderError, type Option } from "commander";
import { MillraceError } from "../base/error.ts";
import type { Host } from "../base/system/host.ts";
import { version } from "../base/version.ts";
import { importBy } from "../job/load/import-module.ts";
import { word } from "./arguments.ts";
import { addClusterCommands } from "./cluster-commands.ts";
import { below } from "./help-text.ts";
import { addJobCommands } from "./job-commands.ts";
import { tell } from "./loading.ts";
import { addColourOption } from "./options.ts";
import { type ColourMode, chooseColours, onStderr } from "./screen/colour.ts";
import { errorEvent, errorLines, exitCodeOf, printable } from "./screen/error-text.ts";
import { eventLine, eventSink } from "./screen/event-stream.ts";
import { linePrinter } from "./screen/line-printer.ts";
import { applySettings, settingsOf, settingText, settle } from "./settings/apply.ts";
import { looksLikeModule } from "./swapped.ts";
import { isTestFile } from "./test/test-name.ts";

export function program(): Command {
  const millrace = new Command("millrace")
    .description("MapReduce in TypeScript: run a job file over data larger than memory, on all cores.")
    .version(version, "-V, --version")
    .helpCommand(false)
    .configureOutput({ writeOut: (text) => linePrinter()(text.replace(/\n$/, "")) })
    .showHelpAfterError("(--help shows what there is)")
    .configureHelp({ showGlobalOptions: false, optionDescription: describedOption })
    .addHelpText(
      "after",
      below(`
Examples:
  millrace run word-count.ts 'books/*.txt' -o counts      run a job, publish its result in ./counts
  millrace run word-count.ts 'books/*.txt' | head         print the result
  millrace init page-views                                write a job and a test for it to begin with

millrace help COMMAND shows what a command takes. Exit codes: 0 done, 1 the job's code failed,
2 wrong usage, 3 bad input or output, 4 the machine or the cluster failed (trying again may help), 130 interrupted.`),
    );
  addJobCommands(millrace);
  addClusterCommands(millrace);
  addCompletions(millrace);
  addHelp(millrace);
  addColourOption(millrace);
  return millrace;
}

function addHelp(millrace: Command): void {
  millrace
    .command("help")
    .description("show what a command takes")
    .argument("[command]", "the command (default: all of them in short)", word("COMMAND", "the name of a command"))
    .addHelpText("after", below("Example:\n  millrace help run"))
    .action(async (name: string | undefined) => {
      const command = name === undefined ? millrace : millrace.commands.find((each) => each.name() === name);
      if (command === undefined)
        throw new MillraceError(
          "wrong-usage",
          `there is no command ${JSON.stringify(name)}: millrace help lists all of them`,
        );
      await prepare(command, [helpWord]);
      command.outputHelp();
    });
}

function addCompletions(millrace: Command): void {
  millrace
    .command("completions")
    .description("print a script by which a shell completes command lines")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      below(`
Examples:
  source <(millrace completions bash)                         in ~/.bashrc
  source <(millrace completions zsh)                          in ~/.zshrc, below compinit
  millrace completions fish > ~/.config/fish/completions/millrace.fish`),
    )
    .action(async (shell) => (await import("./commands/completions.ts")).completionsCommand(shell, millrace));
}

/** With its default only where that says something: `{}` and `false` don't. */
function describedOption(option: Option): string {
  const { description, defaultValue, defaultValueDescription, mandatory } = option;
  const setting = settingText(option);
  if (setting !== "") return `${description}${setting}`;
  if (mandatory) return `${description} (required)`;
  const shown = defaultValueDescription ?? (typeof defaultValue === "number" ? String(defaultValue) : undefined);
  return shown === undefined ? description : `${description} (default: ${shown})`;
}

const helpWord = "--help";

/** Applies settings before a command is parsed. What is wrong with them does not keep anybody from reading the help. */
async function prepare(command: Command, words: readonly string[]): Promise<void> {
  try {
    await applySettings(command, words);
  } catch (error) {
    const asksHelp = words.some((word) => word === helpWord || word === "-h");
    if (!asksHelp || !(error instanceof MillraceError)) throw error;
    tell(error.message, false);
  }
}

/** Those of a command line that may be options. */
function optionWords(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return end < 0 ? words : words.slice(0, end);
}

/** Prints what the job takes whose name stands on the command line, below the help that was shown. */
async function helpOfJob(command: Command): Promise<void> {
  const takesJob = command.registeredArguments[0]?.name() === "job" && command.options.some(isEnv);
  const job = command.args.find((word) => !word.startsWith("-"));
  if (!takesJob || job === undefined || (command.name() === "test" && isTestFile(job))) return;
  await (await import("./help/job.ts")).showJobHelp(command, job);
}

/** Commands that load a job have it; others take the id of one. */
function isEnv({ long }: Option): boolean {
  return long === "--env";
}

async function runCommandLine(): Promise<void> {
  // The reader of progress and messages may leave, and the run goes on (`millrace run … 2>&1 | head`).
  process.stderr.on("error", () => {});
  const command = program();
  const at: { command: Command | undefined } = { command: undefined };
  for (const sub of [command, ...command.commands]) {
    sub.exitOverride((error) => {
      at.command = sub;
      throw error;
    });
  }
  command.hook("preSubcommand", (_, sub) => prepare(sub, optionWords(process.argv.slice(2))));
  command.hook("preAction", (_, action) => {
    at.command = action;
    settle(action);
    chooseColours(action.opts<{ color?: ColourMode }>().color);
  });
  try {
    try {
      await command.parseAsync(process.argv);
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      // Help and version end with 0; a wrong word has been explained already.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      if (error.code === "commander.unknownCommand") await tellRun(process.argv.slice(2));
      if (error.code === "commander.helpDisplayed" && at.command !== undefined) await helpOfJob(at.command);
    }
  } catch (error) {
    if (process.argv.includes("--json")) eventSink.write(eventLine(errorEvent(error)));
    else for (const line of onStderr(() => errorLines(error))) process.stderr.write(`${line}\n`);
    process.exitCode = exitCodeOf(error);
    tellSettings(error, at.command);
  }
}

/** For somebody who has left out the command. */
async function tellRun([job = "", ...others]: readonly string[]): Promise<void> {
  if (!looksLikeModule(job)) return;
  const { quoted } = await import("./screen/hints.ts");
  const files = others.findIndex((word) => word.startsWith("-"));
  const inputs = files < 0 ? others : others.slice(0, files);
  process.stderr.write(`to run a job:  millrace run ${[job, ...inputs].map(quoted).join(" ")}\n`);
}

/** A refusal may be about a value that is not on the command line. */
function tellSettings(error: unknown, command: Command | undefined): void {
  if (!(error instanceof MillraceError) || error.code !== "wrong-usage" || command === undefined) return;
  const used = settingsOf(command).filter(({ source }) => source === "config");
  if (used.length === 0 || process.argv.includes("--json")) return;
  const names = used.map(({ name, text }) => `${name} ${text}`).join(", ");
  process.stderr.write(`with ${printable(names)} from ${printable(used[0]!.from)} (--no-config ignores it)\n`);
}

export async function main({ warmed, importModule }: Host): Promise<void> {
  importBy(importModule);
  await runCommandLine();
  if (process.argv[2] === "run" && !process.exitCode) warmed();
  // Everything is awaited and closed by now. What Node would still wait for (esbuild's process, pipes of ended slots)
  // is not needed.
  process.exit();
}
