// A program of the user's as a decompressor (`--decompress`): a file goes into its standard input, and what it writes
// to its standard output is the content. Whatever it does but that is an error, as the content may not be whole then.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { MillraceError, systemCode } from "../../base/error.ts";
import { KiB, limits } from "../../base/limits.ts";
import { formatDuration } from "../../base/units.ts";

export interface Program {
  /** Its name or path, and its arguments. */
  readonly words: readonly string[];
  /** Where it runs. */
  readonly directory: string;
  /** How long it may neither read nor write while it is waited for. Default: `limits.programSilentMs`. */
  readonly silentMs?: number;
}

const stderrKept = 2 * KiB;
const stderrLines = 5;

/**
 * What the program makes of the chunks. The program ends when all is read, and when the reader stops. Throws
 * `bad-input` when it fails, and `wrong-usage` when it can't be started. In a slot it belongs to the slot's process
 * group, and so is killed with it.
 */
export async function* throughProgram(
  { words, directory, silentMs = limits.programSilentMs }: Program,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const child = spawn(words[0]!, words.slice(1), { cwd: directory, stdio: ["pipe", "pipe", "pipe"] });
  const run = new ProgramRun(child, words, silentMs);
  const fed = run.feed(chunks);
  try {
    yield* run.content();
    await run.check(fed);
  } finally {
    run.end();
    await fed;
  }
}

class ProgramRun {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #words: readonly string[];
  readonly #silentMs: number;
  readonly #closed: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null } | Error>;
  #timer: NodeJS.Timeout | undefined;
  #isSilent = false;
  #hasUnread = false;
  #failure: { readonly thrown: unknown } | undefined;
  #stderr = "";

  constructor(child: ChildProcessWithoutNullStreams, words: readonly string[], silentMs: number) {
    this.#child = child;
    this.#words = words;
    this.#silentMs = silentMs;
    this.#closed = new Promise((resolve) => {
      child.once("error", resolve);
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    child.stdin.on("error", () => {
      this.#hasUnread = true; // it has closed its standard input, or ended
    });
    child.stdout.on("error", () => {});
    child.stderr.on("error", () => {});
    child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-stderrKept);
    });
  }

  /** Never rejects. */
  async feed(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { stdin } = this.#child;
    try {
      for await (const chunk of chunks) {
        const isWritten = await Promise.race([
          new Promise<boolean>((resolve) => stdin.write(chunk, (error) => resolve(error == null))),
          this.#closed.then(() => false),
        ]);
        this.#timer?.refresh();
        if (isWritten) continue;
        this.#hasUnread = true;
        break;
      }
      if (!stdin.destroyed) stdin.end();
    } catch (thrown) {
      this.#failure = { thrown };
      this.end();
    }
  }

  async *content(): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = this.#child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    for (;;) {
      // Time in which the job is busy with what came before does not count.
      this.#timer = setTimeout(() => {
        this.#isSilent = true;
        this.end();
      }, this.#silentMs);
      let next: IteratorResult<Buffer, undefined>;
      try {
        next = await iterator.next();
      } catch (thrown) {
        this.#failure ??= { thrown };
        return;
      } finally {
        clearTimeout(this.#timer);
      }
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** Called when it has closed its standard output. */
  async check(fed: Promise<void>): Promise<void> {
    // It may go on for as long as it may be silent, and no longer.
    const timer = setTimeout(() => {
      this.#isSilent = true;
      this.end();
    }, this.#silentMs);
    const end = await this.#closed;
    clearTimeout(timer);
    if (this.#isSilent) throw this.#error(`has neither read nor written for ${formatDuration(this.#silentMs)}`);
    if (end instanceof Error) throw this.#unstarted(end);
    await fed;
    if (this.#failure !== undefined) throw this.#failure.thrown;
    if (end.signal !== null) throw this.#error(`was killed by ${end.signal}`);
    if (end.code !== 0) throw this.#error(`has failed, with the exit code ${end.code}`);
    if (this.#hasUnread) throw this.#error("has ended, with the exit code 0, before it had read the whole file");
    if (this.#stderr.trim() !== "")
      throw this.#error("has ended with the exit code 0, but has complained, so that its content may not be whole");
  }

  end(): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
  }

  #error(what: string): MillraceError {
    const lines = this.#stderr.trimEnd().split("\n").slice(-stderrLines).join("\n");
    const said = lines === "" ? "It has written nothing to standard error" : `Its standard error ends:\n${lines}`;
    return new MillraceError("bad-input", `${this.#name} ${what}. ${said}`);
  }

  #unstarted(error: Error): MillraceError {
    const why =
      systemCode(error) === "ENOENT" ? "there is no such program (a name is looked for in PATH)" : error.message;
    return new MillraceError("wrong-usage", `${this.#name} can't be started: ${why}`, { cause: error });
  }

  get #name(): string {
    return `the program of --decompress, ${this.#words.join(" ")},`;
  }
}
