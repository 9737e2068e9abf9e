// The commands of a cluster. Each one's file, and with it all that talks to a network, is loaded only when it runs.

import { Argument, type Command, Option } from "commander";
import { limits } from "../base/limits.ts";
import { formatCount, parseDuration } from "../base/units.ts";
import { count, listen, notice, path, pathArgument, size, state, time, word } from "./arguments.ts";
import { below } from "./help-text.ts";
import { addMasterOptions, addServiceOptions, addStoreOptions, neededMaster, optionOf } from "./options.ts";

const jobWord = word("JOB", "the id of a job, or the first digits of it");
const jobArgument = ["<job>", "the job's id, or the first digits of it", jobWord] as const;

/** Adds them, in the order of the help. */
export function addClusterCommands(millrace: Command): void {
  addMaster(millrace);
  addWorker(millrace);
  addStatus(millrace);
  addJobs(millrace);
  addWorkers(millrace);
  addLogs(millrace);
  addHistory(millrace);
  addCancel(millrace);
  addRetry(millrace);
  addDrain(millrace);
  addToken(millrace);
}

function addMaster(millrace: Command): void {
  const master = addServiceOptions(
    millrace
      .command("master")
      .description("lead a cluster: hand out tasks, keep its state")
      .requiredOption(
        "--state <dir>",
        "for all that the master knows: a directory on a local disk, made where it is missing, or etcd://HOST:PORT,… for a cluster of several masters",
        state,
      )
      .option(
        "--tokens <dir>",
        "the token files, the same on all masters (default: DIR/tokens, made where they are missing)",
        path("--tokens"),
      )
      .option(
        "--blobs <dir>",
        "with etcd: for bundles, side files and event logs, a directory that all masters see",
        path("--blobs"),
      )
      .option(
        "--listen <host:port>",
        "where workers and commands reach it (default: 127.0.0.1:7070)",
        listen,
        "127.0.0.1:7070",
      ),
  )
    .option(
      "--lease <time>",
      `how long a worker may go unheard before its tasks are given to others (default: ${limits.leaseMs / 1000}s)`,
      time("--lease"),
    )
    .option(
      "--max-workers <n>",
      `workers that it knows at a time (default: ${formatCount(limits.workersMax)})`,
      count("--max-workers", 1, 1_000_000),
    );
  addStoreOptions(master)
    .addOption(new Option("--with-parent", "end when standard input ends").default(false).hideHelp())
    .addHelpText(
      "after",
      below(`
Makes tokens in DIR/tokens (admin, submit, worker, read) and leaves one where this user's commands find it. Listens beyond
this machine only with TLS. SIGTERM and Ctrl-C end it; started again with the same DIR it goes on where it stopped.

With etcd any number of masters may be started: one leads, the others wait for their turn and tell callers who leads. One
that has lost its leadership ends, so that whatever supervises it starts it again.

Examples:
  millrace master --state /var/lib/millrace/state
  millrace master --state /var/lib/millrace/state --listen m1:7070 --tls-cert m1.pem --tls-key m1.key --ca ca.pem
  millrace master --state etcd://e1:2379,e2:2379,e3:2379 --tokens tokens --blobs /shared/millrace`),
    )
    .action(async (flags) => (await import("./commands/master.ts")).masterCommand(flags));
}

function addWorker(millrace: Command): void {
  const worker = addServiceOptions(
    millrace
      .command("worker")
      .description("work for a cluster: run tasks of its jobs, keep map outputs for the others")
      .addOption(neededMaster())
      .requiredOption(
        "--work-dir <dir>",
        "for all that it keeps, on a local disk; made where it is missing",
        path("--work-dir"),
      )
      .option(
        "--slots <n>",
        "processes that run jobs' code (default: one per core)",
        count("--slots", 1, limits.slotsMax),
      )
      .option(
        "--memory <size>",
        "for all slots and intermediate data together, like 8GB (default: a quarter of what there is)",
        size("--memory"),
      )
      .option(
        "--name <name>",
        "its id in the cluster (default: as before in DIR, or a random one)",
        word("--name", "a name"),
      )
      .option(
        "--listen <host:port>",
        "where other workers reach it (default: 127.0.0.1, any port)",
        listen,
        "127.0.0.1:0",
      )
      .option(
        "--token-file <file>",
        "holds the worker token (default: $MILLRACE_TOKEN_FILE, else the master's on this machine)",
        path("--token-file"),
      )
      .option(
        "--notice <file:path|command:...>",
        "a file that appears, or a command that ends with 0, when this machine goes away: it drains then",
        notice,
      )
      .option(
        "--notice-within <time>",
        "how long it may stay after such a notice",
        time("--notice-within"),
        parseDuration("100s", "--notice-within"),
      ),
  )
    .optionsGroup("A master beside it:")
    .option("--standby", "stand for election too: a master as a process of its own, with the options below", false)
    .option("--state <dir>", "the cluster's store, etcd://HOST:PORT,…", state)
    .option("--tokens <dir>", "the token files, the same on all masters", path("--tokens"))
    .option(
      "--blobs <dir>",
      "for bundles, side files and event logs, a directory that all masters see",
      path("--blobs"),
    )
    .option("--listen-master <host:port>", "where workers and commands reach that master", listen)
    .option(
      "--standby-beside-jobs",
      "although jobs' code, which runs as the same user, could read the tokens and what opens the store",
      false,
    );
  addStoreOptions(worker)
    .addHelpText(
      "after",
      below(`
Runs the code of whoever may submit jobs, as this user. SIGTERM and Ctrl-C drain it: what runs is finished or handed back, and
map outputs that are needed are copied to other workers; a second one ends it at once. Start it again with the same DIR.

Examples:
  millrace worker --master http://127.0.0.1:7070 --work-dir /var/lib/millrace/work
  millrace worker --master https://m1:7070 --token-file worker-token --name w1 --listen w1:7071 --work-dir /var/lib/millrace/work \\
    --slots 4 --memory 8GB --tls-cert w1.pem --tls-key w1.key --ca ca.pem
  millrace worker --master http://127.0.0.1:7070,http://127.0.0.1:7080 --work-dir work --standby --standby-beside-jobs \\
    --state etcd://127.0.0.1:2379 --tokens tokens --blobs /shared/millrace --listen-master 127.0.0.1:7080
  millrace worker --master http://127.0.0.1:7070 --work-dir work --notice file:/run/leave --notice-within 25s`),
    )
    .action(async (flags) => (await import("./commands/worker.ts")).workerCommand(flags));
}

function addStatus(millrace: Command): void {
  addMasterOptions(millrace.command("status").description("show a cluster, or one of its jobs"))
    .argument("[job]", "the job's id, or the first digits of it", jobWord)
    .option("--watch", "follow the job until it has ended; the exit code is then that of the job", false)
    .addHelpText(
      "after",
      below(`
A worker is busy (it runs tasks), idle, draining, or
  stuck      heard, but a task that it was told to stop is still there
  silent     not heard for a lease: its tasks are given to others
  excluded   too many tasks failed there in a row: it gets no more

Examples:
  millrace status --master http://127.0.0.1:7070
  millrace status 3f2a --watch --master http://127.0.0.1:7070`),
    )
    .action(async (job, flags) => (await import("./commands/status.ts")).statusCommand(job, flags));
}

function addJobs(millrace: Command): void {
  addMasterOptions(millrace.command("jobs").description("list the jobs of a cluster")).action(async (flags) =>
    (await import("./commands/jobs.ts")).jobsCommand(flags),
  );
}

function addWorkers(millrace: Command): void {
  addMasterOptions(millrace.command("workers").description("list the workers of a cluster")).action(async (flags) =>
    (await import("./commands/workers.ts")).workersCommand(flags),
  );
}

function addLogs(millrace: Command): void {
  addMasterOptions(millrace.command("logs").description("show what a job's attempts printed"))
    .argument(...jobArgument)
    .argument(
      "[attempt]",
      "one attempt, like map-00012.1.7 (default: the newest that failed, or all that run)",
      word("ATTEMPT", "an attempt, like map-00012.1.7"),
    )
    .action(async (job, attempt, flags) => (await import("./commands/logs.ts")).logsCommand(job, attempt, flags));
}

function addHistory(millrace: Command): void {
  addMasterOptions(millrace.command("history").description("show what happened to a job, when and where"))
    .argument(...jobArgument)
    .action(async (job, flags) => (await import("./commands/history.ts")).historyCommand(job, flags));
}

function addCancel(millrace: Command): void {
  addMasterOptions(millrace.command("cancel").description("cancel a job; nothing of it is published"))
    .argument(...jobArgument)
    .action(async (job, flags) => (await import("./commands/cancel.ts")).cancelCommand(job, flags));
}

function addRetry(millrace: Command): void {
  addMasterOptions(millrace.command("retry").description("start a failed job again, with what it had done"))
    .argument(...jobArgument)
    .action(async (job, flags) => (await import("./commands/retry.ts")).retryCommand(job, flags));
}

function addDrain(millrace: Command): void {
  addMasterOptions(millrace.command("drain").description("let a worker finish, hand over what others need, and end"))
    .argument(
      "<worker>",
      "the worker's id, or the first letters of it",
      word("WORKER", "the id of a worker, or the first letters of it"),
    )
    .option(
      "--within <time>",
      "when it has to be gone, whatever is left (default: what runs gets a minute, map outputs half an hour)",
      time("--within"),
    )
    .action(async (worker, flags) => (await import("./commands/drain.ts")).drainCommand(worker, flags));
}

function addToken(millrace: Command): void {
  millrace
    .command("token")
    .description("make the token files of a cluster with several masters")
    .addArgument(new Argument("<what>", "new: one token for each of admin, submit, worker and read").choices(["new"]))
    .argument("<dir>", "a folder for the files, made where it is missing", pathArgument("the folder of tokens"))
    .addOption(optionOf("json", undefined, "Options:"))
    .addHelpText(
      "after",
      below(`
All masters of a cluster need the same files (--tokens), readable by their user alone. Commands need one of them, workers the
one called worker (--token-file).

Examples:
  millrace token new tokens
  millrace master --state etcd://e1:2379,e2:2379,e3:2379 --tokens tokens --blobs /shared/millrace`),
    )
    .action(async (what, directory, flags) =>
      (await import("./commands/token.ts")).tokenCommand(what, directory, flags),
    );
}
