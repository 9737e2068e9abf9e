// What the cluster is to do meanwhile: jobs over the books and over generated text, again and again, each compared
// with a run of it on one machine.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../../src/base/system/random.ts";
import { books, partsOf } from "../process/support.ts";
import { millrace, repository } from "../support/cli.ts";
import type { ChaosCluster } from "./cluster.ts";
import { pause } from "./machine.ts";

const slowCount = fileURLToPath(new URL("../cluster/jobs/slow-count.ts", import.meta.url));
const example = (name: string) => join(repository, "examples", `${name}.ts`);
const program = join(repository, "bin/millrace.js");

interface Kind {
  readonly name: string;
  readonly words: readonly string[];
  /** Makes it last. On one machine it does without. */
  readonly slowly: readonly string[];
}

/** What a job is compared by: its files, and how many records and pairs went through it. */
interface Outcome {
  readonly parts: Readonly<Record<string, string>>;
  readonly counts: Readonly<Record<string, number>>;
}

/** One job of the cluster, and whoever waits for it. */
interface Errand {
  readonly kind: Kind;
  readonly output: string;
  job: string | undefined;
  client: ChildProcess | undefined;
  said: string;
}

/** At a time. */
const jobsAtOnce = 3;

export class Jobs {
  readonly #cluster: ChaosCluster;
  readonly #kinds: readonly Kind[];
  readonly #expected = new Map<string, Outcome>();
  readonly #errands: Errand[] = [];
  #isOver = false;
  #next = 0;
  /** Jobs that succeeded, by kind. */
  readonly done: Record<string, number> = {};
  /** Submitted again, as the master was gone before it had answered. */
  retries = 0;
  /** How often an output was there when it was looked at. */
  looks = 0;
  /** What was not as it must be. */
  readonly wrong: string[] = [];

  constructor(cluster: ChaosCluster, seed: number) {
    this.#cluster = cluster;
    const text = join(cluster.folder, "text");
    writeText(text, seed);
    const common = ["--reducers", "3", "--attempts", "50"];
    const small = ["--split-size", "400KB", ...common];
    this.#kinds = [
      { name: "count of books", words: [slowCount, books, ...small], slowly: ["--param", "lineMicros=300"] },
      { name: "sort of text", words: [example("total-sort"), text, "--split-size", "1MB", ...common], slowly: [] },
      {
        name: "count of text",
        words: [slowCount, text, "--split-size", "1MB", ...common],
        slowly: ["--param", "lineMicros=1000"],
      },
      { name: "index of books", words: [example("inverted-index"), books, ...small], slowly: [] },
    ];
  }

  /** Each kind once on one machine. */
  async expect(): Promise<void> {
    for (const { name, words, slowly } of this.#kinds) {
      const output = join(this.#cluster.folder, `one-machine-${name.replaceAll(" ", "-")}`);
      const fast = slowly.length > 0 ? ["--param", "lineMicros=0"] : [];
      const { code, stderr } = await millrace(["run", ...words, ...fast, "-o", output, "--quiet"]);
      if (code !== 0) throw new Error(`${name} fails on one machine: ${stderr}`);
      this.#expected.set(name, outcomeOf(output));
    }
  }

  /** Submits one after the other until told to stop, and then waits for those that are left. */
  async run(): Promise<void> {
    await Promise.all(
      Array.from({ length: jobsAtOnce }, async () => {
        while (!this.#isOver) await this.#one(this.#kinds[this.#next++ % this.#kinds.length]!);
      }),
    );
  }

  /** No more jobs are begun. */
  stop(): void {
    this.#isOver = true;
  }

  /** Kills whoever waits for a job; somebody else picks the job up. False: no one waits now. */
  killClient(random: () => number): boolean {
    const waiting = this.#errands.filter(({ job, client }) => job !== undefined && client !== undefined);
    const errand = waiting[Math.floor(random() * waiting.length)];
    return errand?.client?.kill("SIGKILL") === true;
  }

  /** Looks at the outputs again and again: each is not there, or all of it is. */
  async watch(): Promise<void> {
    while (!this.#isOver) {
      for (const { output } of this.#errands.slice(-2 * jobsAtOnce)) {
        if (!existsSync(output)) continue;
        this.looks++;
        const wrong = partial(output);
        if (wrong !== undefined) this.wrong.push(wrong);
      }
      await pause(10);
    }
  }

  close(): void {
    this.#isOver = true;
    for (const { client } of this.#errands) client?.kill("SIGKILL");
  }

  async #one(kind: Kind): Promise<void> {
    for (;;) {
      const output = join(this.#cluster.folder, `out-${this.#errands.length}`);
      const errand: Errand = { kind, output, job: undefined, client: undefined, said: "" };
      this.#errands.push(errand);
      let code = await this.#ask(errand, ["run", ...kind.words, ...kind.slowly, "-o", output]);
      // Killed: another one asks how the job goes.
      while (code === null && errand.job !== undefined)
        code = await this.#ask(errand, ["status", errand.job, "--watch"]);
      if (code === 0) return this.#check(errand);
      if (errand.job !== undefined) {
        this.wrong.push(`${kind.name} (${errand.job}) ended with ${code}: ${errand.said.slice(-2000)}`);
        return;
      }
      this.retries++;
      if (this.retries > 200) throw new Error(`no master takes a job: ${errand.said.slice(-2000)}`);
      await pause(500);
      if (this.#isOver) return;
    }
  }

  /** Resolves with the exit code; null: it was killed. */
  #ask(errand: Errand, words: readonly string[]): Promise<number | null> {
    const { address, env } = this.#cluster;
    return new Promise((resolve, reject) => {
      const client = spawn(process.execPath, [program, ...words, "--master", address, "--json"], {
        env: { ...process.env, NO_COLOR: "1", ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      errand.client = client;
      const hear = (chunk: Buffer) => {
        errand.said = (errand.said + chunk.toString()).slice(-20_000);
        errand.job ??= errand.said.match(/"job":"([0-9a-f]{32})"/)?.[1];
      };
      client.stdout.on("data", hear);
      client.stderr.on("data", hear);
      client.once("error", reject);
      client.once("close", (code) => {
        errand.client = undefined;
        resolve(code);
      });
    });
  }

  #check({ kind, output, job }: Errand): void {
    const expected = this.#expected.get(kind.name)!;
    const name = `${kind.name} (${job})`;
    if (!existsSync(join(output, "_SUCCESS"))) {
      this.wrong.push(`${name} is said to have succeeded, and has no output`);
      return;
    }
    const { parts, counts } = outcomeOf(output);
    if (JSON.stringify(parts) !== JSON.stringify(expected.parts))
      this.wrong.push(
        `${name} has other bytes than on one machine: ${JSON.stringify({ is: parts, must: expected.parts })}`,
      );
    if (JSON.stringify(counts) !== JSON.stringify(expected.counts))
      this.wrong.push(
        `${name} counts ${JSON.stringify(counts)}, and on one machine ${JSON.stringify(expected.counts)}`,
      );
    this.done[kind.name] = (this.done[kind.name] ?? 0) + 1;
  }
}

/** What is wrong with an output that readers see. */
function partial(output: string): string | undefined {
  try {
    const { files } = JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8")) as {
      readonly files: readonly { readonly name: string; readonly bytes: number }[];
    };
    const wrong = files.find(({ name, bytes }) => statSync(join(output, name)).size !== bytes);
    return wrong === undefined ? undefined : `${output}/${wrong.name} is seen with other than its ${wrong.bytes} bytes`;
  } catch (error) {
    return `${output} is seen without all that belongs to it: ${String(error)}`;
  }
}

function outcomeOf(output: string): Outcome {
  const { stats, files } = JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8"));
  const counts = {
    inputBytes: stats.inputBytes,
    recordsIn: stats.map.recordsIn,
    pairs: stats.map.pairs,
    groups: stats.reduce.groups,
    recordsOut: stats.reduce.recordsOut,
    recordsInFiles: (files as { readonly records: number }[]).reduce((sum, { records }) => sum + records, 0),
  };
  return { parts: partsOf(output), counts };
}

/** Lines of words, some of which are frequent: 4 files of 2 MB. */
function writeText(folder: string, seed: number): void {
  mkdirSync(folder);
  const random = seededRandom(seed, 1);
  const word = () =>
    Math.floor(40_000 * random() ** 3)
      .toString(36)
      .replace(/\d/g, (digit) => "qwertyuiop"[Number(digit)]!);
  for (let file = 0; file < 4; file++) {
    const text: string[] = [];
    for (let bytes = 0; bytes < 2e6; bytes += text.at(-1)!.length)
      text.push(`${Array.from({ length: 60 }, word).join(" ")}\n`);
    writeFileSync(join(folder, `${file}.txt`), text.join(""));
  }
}
