// The commands about a job, and about what one has published. Each one's file is loaded only when it runs.
import { type Command, Option } from "commander";
import { describing, startFirstSlot } from "../engine/first-slot.ts";
import { count, namesOrPaths, path, pathArgument, pathArguments, plain, word } from "./arguments.ts";
import { below } from "./help-text.ts";
import {
  addFormatOptions,
  addJobOptions,
  addRunningOptions,
  addRunOptions,
  addSimOptions,
  optionOf,
} from "./options.ts";
import { linePrinter } from "./screen/line-printer.ts";
import { isKeptHere, settingsOf, settingsOfRun } from "./settings/apply.ts";
import { refuseSwapped } from "./swapped.ts";
import { isTestFile } from "./test/test-name.ts";

/** Records of each file that `head` shows where it is not told how many. */
const recordsShown = 20;

/** Adds them, in the order of the help. */
export function addJobCommands(millrace: Command): void {
  addRun(millrace);
  addPlan(millrace);
  addTest(millrace);
  addSim(millrace);
  addReplay(millrace);
  addVerify(millrace);
  addClean(millrace);
  addInit(millrace);
  addHead(millrace);
}

function addRun(millrace: Command): void {
  addRunningOptions(addRunOptions(millrace.command("run").description("run a job and publish its result")))
    .argument("<job>", "the job file, TypeScript or JavaScript", pathArgument("the job file"))
    .argument("[input...]", "files, folders, globs, or - for standard input", pathArguments("an input"))
    .addHelpText(
      "after",
      below(`
Examples:
  millrace run job.ts 'logs/*.gz' -o counts
  millrace run job.ts logs -o counts --reducers 8 --memory 2GB --skip-bad 100
  millrace run join.ts --input users=users.csv --input 'orders=orders/*.ndjson' -o joined --param since=2024-01-01
  millrace run job.ts --help                               and what the job itself takes
  millrace run job.ts logs -o counts --resume              go on after a crash or a failure
  millrace run job.ts /shared/logs -o /shared/counts --master https://m1:7070
  zcat huge.gz | millrace run job.ts - --quiet | head`),
    )
    .action(async (job, inputs, flags, command: Command) => {
      await refuseSwapped("run", job, inputs);
      const { master, slots, memory } = flags;
      const firstSlot = startFirstSlot(master === undefined ? { slots, memoryBytes: memory } : describing);
      const settings = { used: settingsOf(command), isKeptHere: isKeptHere(command) };
      return (await import("./commands/run.ts")).runCommand(job, inputs, flags, firstSlot, settings);
    });
}

function addPlan(millrace: Command): void {
  addRunOptions(millrace.command("plan").description("show what run would read, split and write, without running it"))
    .argument("<job>", "the job file", pathArgument("the job file"))
    .argument("[input...]", "files, folders, globs", pathArguments("an input"))
    .addHelpText("after", below("Example:\n  millrace plan job.ts 'logs/*.gz' -o counts --memory 1GB"))
    .action(async (job, inputs, flags, command: Command) => {
      await refuseSwapped("plan", job, inputs);
      const { endable } = await import("./endable.ts");
      return endable({ workDir: undefined }, async () => {
        const firstSlot = startFirstSlot(describing);
        const { planCommand } = await import("./commands/plan.ts");
        return planCommand(job, inputs, flags, firstSlot, settingsOfRun(command));
      });
    });
}

function addTest(millrace: Command): void {
  addJobOptions(
    millrace.command("test").description("run a job on a sample in many ways and say whether its result ever differs"),
  )
    .argument("<job>", "the job file, or a test of it (job.test.ts)", pathArgument("the job file"))
    .argument("[sample...]", "a few files, small enough to be read a dozen times", pathArguments("an input"))
    .addHelpText(
      "after",
      below(`
Checks the types (where TypeScript is installed), that map and reduce do the same when they are called again, that keys
and values survive their codecs, that combine is associative, and that the result is the same with other splits, slots,
memory and order of tasks, in fresh processes, with combine called always and never. Publishes nothing. Exit code 0: all
passed, 1: something failed. A file named *.test.ts is a test that you wrote: it is run, on any Node, with its TypeScript.

Examples:
  millrace test job.ts sample.log
  millrace test job.test.ts
  millrace test join.ts --input users=users.csv --input orders=some-orders.ndjson`),
    )
    .action(async (job, inputs, flags, command: Command) => {
      await refuseSwapped("test", job, inputs);
      if (isTestFile(job)) {
        const given = command.options.filter((each) => command.getOptionValueSource(each.attributeName()) === "cli");
        const names = given.map((each) => each.long ?? each.flags).filter((name) => name !== "--color");
        return (await import("./commands/test-files.ts")).testFilesCommand([job, ...inputs], names);
      }
      const { endable } = await import("./endable.ts");
      return endable({ workDir: flags.workDir }, async () => {
        const firstSlot = startFirstSlot(describing);
        return (await import("./commands/test.ts")).testCommand(job, inputs, flags, firstSlot);
      });
    });
}

function addSim(millrace: Command): void {
  addSimOptions(
    millrace.command("sim").description("run a job on a sample in simulated clusters where everything fails"),
  )
    .argument("<job>", "the job file", pathArgument("the job file"))
    .argument("[input...]", "files, folders, globs; the beginning of each is used", pathArguments("an input"))
    .addHelpText(
      "after",
      below(`
The job's own code runs in a cluster of several masters and workers that is simulated in this process: messages are lost,
late and repeated, processes crash, stall and lose their disks, runs are damaged, masters replaced. One seed decides all of
it. Whatever happens, the output must be, byte for byte, that of a run without faults. Exit code 0: it always was, 1: not.

Examples:
  millrace sim job.ts 'logs/*.gz'                   20 clusters
  millrace sim job.ts 'logs/*.gz' --seeds 500
  millrace sim job.ts 'logs/*.gz' --seed 17 --verbose        one of them again, event by event`),
    )
    .action(async (job, inputs, flags) => {
      await refuseSwapped("sim", job, inputs);
      const { endable } = await import("./endable.ts");
      return endable({ workDir: undefined }, async () => {
        const firstSlot = startFirstSlot(describing);
        return (await import("./commands/sim.ts")).simCommand(job, inputs, flags, firstSlot);
      });
    });
}

function addReplay(millrace: Command): void {
  millrace
    .command("replay")
    .description("run one record through map, or one key through reduce, and show what it emits")
    .argument("<job>", "the job file", pathArgument("the job file"))
    .argument(
      "[input...]",
      "FILE:OFFSET, the first byte of a record, as error messages name it; with --key the run's files, folders, globs",
      pathArguments("the position or an input"),
    )
    .option("-k, --key <key>", "a key, as error messages show it: text, a number, or JSON", plain)
    .addOption(optionOf("params", undefined, "Options:"))
    .addOption(
      new Option(
        "-i, --input <name[=path]>",
        "which of the job's inputs the file belongs to, where it has several; with --key NAME=PATH; may be repeated",
      ).argParser(namesOrPaths("--input")),
    )
    .addOption(optionOf("files", undefined, "Options:"))
    .addOption(optionOf("env", undefined, "Options:"))
    .addOption(optionOf("decompress", undefined, "Options:"))
    .addOption(optionOf("skipBad", "with --key: leave up to n bad records out instead of failing", "Options:"))
    .option("--without-combine", "with --key: give reduce each value, without combine", false)
    .option("--inspect", "wait for a debugger, and stop right before map, or with --key reduce, is called", false)
    .addHelpText(
      "after",
      below(`
Examples:
  millrace replay job.ts logs/a.ndjson:1234
  millrace replay job.ts logs/a.ndjson:1234 --inspect     then open chrome://inspect
  millrace replay job.ts 'logs/*.ndjson' --key ann        all records are mapped, and reduce is called for "ann"
  millrace replay job.ts 'logs/*.ndjson' --key '["ann",404]'`),
    )
    .action(async (job, given = [], flags) => {
      await refuseSwapped("replay", job, given);
      const { endable } = await import("./endable.ts");
      return endable({ workDir: undefined, isDebugged: flags.inspect }, async () => {
        const firstSlot = startFirstSlot(describing);
        return (await import("./commands/replay.ts")).replayCommand(job, given, flags, firstSlot);
      });
    });
}

function addVerify(millrace: Command): void {
  millrace
    .command("verify")
    .description("compare a published output with its manifest: sizes, checksums, files that don't belong there")
    .argument("<output>", "the output's folder, or s3://BUCKET/KEY", pathArgument("the output"))
    .option("--json", "one JSON object per line", false)
    .addHelpText(
      "after",
      below(`
Reads every file that the output's _SUCCESS lists and compares its size and SHA-256; files that it does not list are
named. Changes nothing. Exit code 0: all is as it was written; 3: something is not.

Examples:
  millrace verify counts
  millrace verify s3://results/counts --json`),
    )
    .action(async (output, flags) => (await import("./commands/verify.ts")).verifyCommand(output, flags));
}

function addClean(millrace: Command): void {
  millrace
    .command("clean")
    .description("list what killed runs have left on this machine, or remove it")
    .argument("[folder...]", "folders that outputs are in (default: this one)", pathArguments("a folder"))
    .addOption(optionOf("workDir", "where runs kept intermediate data (default: the temporary folder)", "Options:"))
    .addOption(optionOf("noConfig", undefined, "Options:"))
    .option("--remove", "remove all that is listed", false)
    .option("--json", "one JSON object per line", false)
    .addHelpText(
      "after",
      below(`
Lists work directories of runs that were killed, with their age, their size on disk and in the memory tier. Without
--remove nothing is changed. Runs that are at work, and what belongs to other users, are left alone. A run that published
its output has left nothing.

Examples:
  millrace clean
  millrace clean results --work-dir /fast --remove`),
    )
    .action(async (folders = [], flags, command: Command) => {
      const isTyped = command.getOptionValueSource("workDir") === "cli";
      return (await import("./commands/clean.ts")).cleanCommand(folders, flags, isTyped);
    });
}

function addInit(millrace: Command): void {
  const command = millrace
    .command("init")
    .description("write a job and a test for it, typed as your files are")
    .argument("[name]", "the job's name: lower-case words joined by hyphens (default: after the file, else my-job)")
    .option(
      "--from <file...>",
      "files, folders, globs, s3://, or - for standard input: the job reads what they hold",
      pathArguments("a file of --from"),
    );
  addFormatOptions(command)
    .addHelpText(
      "after",
      below(`
Writes NAME.ts and NAME.test.ts into the current folder, and package.json and tsconfig.json where there are none, in it or
above. Never writes over a file. With --from it looks at the first megabyte of up to 8 files (gzip and zstd too), finds
format, columns, types and which are sometimes empty, takes three of their records for the test, and says what it can't
tell.

Examples:
  millrace init page-views
  millrace init --from orders.csv
  millrace init visits --from 'logs/*.ndjson.gz'
  zcat dump.gz | millrace init dump --from -`),
    )
    .action(async (name, flags) => {
      const { initCommand } = await import("./commands/init.ts");
      const print = linePrinter();
      for (const line of await initCommand(name, flags, process.cwd())) print(line);
    });
}

function addHead(millrace: Command): void {
  const command = millrace
    .command("head")
    .description("show the first records of files as a format sees them, with their offsets")
    .argument("<file...>", "files, folders, globs, s3://, or - for standard input", pathArguments("a file"))
    .addOption(
      new Option("-n, --records <n>", "how many records of each file")
        .argParser(count("--records", 1, 1_000_000))
        .default(recordsShown),
    );
  addFormatOptions(command)
    .option("--job <file>", "the format of this job's input instead of a guess", path("--job"))
    .option("--input <name>", "which of the job's inputs, where it has several", word("--input", "a name"))
    .addHelpText(
      "after",
      below(`
The format is guessed by the first megabyte. Bad records are shown with what is wrong with them. An offset is that of the
record's first byte, in the decompressed content where the file is compressed, as millrace replay takes it.

Examples:
  millrace head orders.csv
  millrace head 's3://logs/2024/*.gz' -n 3
  millrace head --format csv --delimiter ';' export.txt
  millrace head --job job.ts orders.csv`),
    )
    .action(async (files, flags) => {
      const run = async () => {
        const firstSlot = flags.job === undefined ? undefined : startFirstSlot(describing);
        return (await import("./commands/head.ts")).headCommand(files, flags, firstSlot);
      };
      if (flags.job === undefined) return run();
      const { endable } = await import("./endable.ts");
      return endable({ workDir: undefined }, run);
    });
}
