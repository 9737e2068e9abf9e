// Looks at storage in separate processes (`look.ts`), a few at a time. The master's thread answers heartbeats
// meanwhile, and a file server that hangs holds up a process that can be abandoned, not one of this process's few
// threads for files.
import { type ChildProcess, spawn } from "node:child_process";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { MillraceError } from "../../base/error.ts";
import { limits, MiB } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import { decodeLine, errorOf } from "./lines.ts";
import type { Looked, LookRequest } from "./look.ts";

/** Path of `dist/look.cjs`, beside the bundle that this file is part of, or beside its folder. */
const ownProgram = fileURLToPath(
  new URL(/\/(?:chunks|program)\/[^/]*$/.test(import.meta.url) ? "../look.cjs" : "./look.cjs", import.meta.url),
);

export interface LookerOptions {
  readonly clock: Clock;
  /** The program to run. Default: `dist/look.cjs`. */
  readonly program?: string | undefined;
}

export class Looker {
  readonly #options: LookerOptions;
  readonly #closing = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: LookerOptions) {
    this.#options = options;
  }

  /** Looks in a process of its own. Rejects with a `MillraceError`. `signal` is aborted when the caller is gone. */
  async look(request: LookRequest, signal: AbortSignal | undefined): Promise<Looked> {
    const { clock } = this.#options;
    const ending = new AbortController();
    const stop = () => ending.abort(stopped());
    for (const other of [signal, this.#closing.signal]) {
      if (other?.aborted) throw stopped();
      other?.addEventListener("abort", stop, { once: true });
    }
    let doing = "looking at what others have asked for first";
    void clock.sleep(limits.lookMs, ending.signal).then(() => {
      if (ending.signal.aborted) return;
      ending.abort(
        new MillraceError(
          "unreachable",
          `${doing} takes the master more than ${limits.lookMs / 1000} s: is the storage it is on there? Then submit again`,
        ),
      );
    });
    try {
      await this.#turn(ending.signal);
      try {
        return await this.#ask(request, ending.signal, (what) => (doing = what));
      } finally {
        this.#running--;
        this.#waiting.shift()?.();
      }
    } finally {
      for (const other of [signal, this.#closing.signal]) other?.removeEventListener("abort", stop);
      ending.abort();
    }
  }

  close(): void {
    this.#closing.abort();
  }

  /** Waits for a turn, as only some processes run at once. The caller has the turn when this resolves. */
  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#running >= limits.looksMax) {
      await new Promise<void>((resolve, reject) => {
        const left = () => {
          this.#waiting.splice(this.#waiting.indexOf(next), 1);
          reject(signal.reason);
        };
        const next = () => {
          signal.removeEventListener("abort", left);
          resolve();
        };
        signal.addEventListener("abort", left, { once: true });
        this.#waiting.push(next);
      });
    }
    this.#running++;
  }

  async #ask(request: LookRequest, signal: AbortSignal, doing: (what: string) => void): Promise<Looked> {
    const child = this.#start();
    const wanted = request.overwrite === undefined ? 0 : request.outputs.length;
    const kill = () => child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    try {
      return await new Promise<Looked>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        if (signal.aborted) reject(signal.reason);
        child.once("error", (error) => reject(unable(error.message)));
        child.once("close", (code, by) => reject(unable(by ?? `exit code ${code}`)));
        // With too many open files Node makes no streams, and reports the error of the child.
        child.stdin?.on("error", () => {}); // the child has ended, which is reported elsewhere
        child.stdin?.write(`${JSON.stringify(request)}\n`);
        const answer = new LineReader((text) => {
          const line = decodeLine(text);
          if (line === undefined) reject(garbled());
          else if (line.kind === "doing") doing(line.doing);
          else if (line.kind === "failed") reject(errorOf(line));
          else if (line.replaces.length !== wanted) reject(garbled());
          else resolve({ replaces: line.replaces.map((identity) => identity ?? undefined) });
        });
        child.stdout?.on("data", (chunk: Buffer) => {
          if (!answer.take(chunk)) reject(garbled());
        });
      });
    } finally {
      signal.removeEventListener("abort", kill);
      kill(); // a process that hangs in the kernel ends when it can
      child.unref();
    }
  }

  #start(): ChildProcess {
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${limits.lookHeapBytes / MiB}`, this.#options.program ?? ownProgram],
      { cwd: "/", stdio: ["pipe", "pipe", "ignore"] },
    );
    try {
      if (child.pid !== undefined) setPriority(child.pid, 10); // the work of the cluster goes first
    } catch {
      // the child has ended by itself
    }
    return child;
  }
}

/** Cuts chunks into lines. Returns false for a line that is longer than any valid one. */
class LineReader {
  readonly #line: (text: string) => void;
  #left = "";

  constructor(line: (text: string) => void) {
    this.#line = line;
  }

  take(chunk: Buffer): boolean {
    const lines = (this.#left + chunk.toString("latin1")).split("\n");
    this.#left = lines.pop() ?? "";
    for (const line of lines) this.#line(Buffer.from(line, "latin1").toString());
    return this.#left.length <= lineBytesMax;
  }
}

const lineBytesMax = 1 * MiB;

function garbled(): MillraceError {
  return new MillraceError(
    "io-error",
    "the master's look at inputs and output has answered what can't be read: is its installation whole, and of one version?",
  );
}

function unable(why: string): MillraceError {
  return new MillraceError(
    "io-error",
    `the master's look at inputs and output has failed (${why}): there may be too much to look at for its memory; name fewer files, or their folder`,
  );
}

function stopped(): MillraceError {
  return new MillraceError("cancelled", "no one waits for the submission any more");
}
