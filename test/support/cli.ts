// The product as a user runs it: the built command in a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../", import.meta.url));
const program = join(repository, "bin/millrace.js");

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Called when the process runs, to interrupt it. */
  readonly started?: (child: ChildProcess) => void;
}

/** Runs `millrace …words` to its end. */
export function millrace(words: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: options.cwd ?? repository,
      env: { ...process.env, NO_COLOR: "1", MILLRACE_MASTER: "", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on("error", () => {}); // it may end before it has read all
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout: Buffer.concat(stdout), stderr }));
    options.started?.(child);
  });
}

/** An empty folder; `remove` it afterwards. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "millrace-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** All part files of an output (or of one of its named outputs), one after the other. */
export function publishedText(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.startsWith("part-"))
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
}
