// Interrupts a scene's victim at its system calls, one after the other, starts it again, and checks the disk after each
// life against what the lives had acknowledged.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Victims } from "./bundle.ts";
import type { Scene } from "./scene.ts";
import {
  type Interruption,
  type Life,
  type Point,
  type Program,
  record,
  runInterrupted,
  runUndisturbed,
} from "./strace.ts";

export interface Exploration {
  readonly victims: Victims;
  /** Every n-th point is interrupted, from the `seed % stride`-th on. 1: all. */
  readonly stride: number;
  readonly seed: number;
  /** Which errors system calls get, besides the kills. */
  readonly errors: readonly string[];
  /** How many lives run at the same time. Default 1. */
  readonly processes?: number;
}

export interface Report {
  readonly scene: string;
  /** System calls on the victim's files in an undisturbed life. */
  readonly points: number;
  /** Lives that were killed; of these, ones that were recovering from a kill. */
  kills: number;
  recoveriesKilled: number;
  /** Lives in which a call failed; of these, ones that ended with an error of Millrace, by its code. */
  failures: number;
  readonly codes: Record<string, number>;
  restarts: number;
  /** Points that were not come to again. */
  notReached: number;
  /** What did not hold, with the interruption. */
  readonly found: string[];
}

/** Calls before which a recovery is killed; not `write`, which Node wakes its threads by. */
const recoveryCalls = "fsync,fdatasync,rename,mkdir,rmdir,unlink,unlinkat,ftruncate,pwrite64";
const recoveryPointsMax = 12;

/** What an error of the system is met by: the calls that give it. */
const callsByError: Readonly<Record<string, readonly string[]>> = {
  ENOSPC: ["write", "pwrite64", "mkdir", "rename", "link", "ftruncate", "openat"],
  EIO: ["write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "openat", "ftruncate", "read", "pread64"],
  EMFILE: ["openat"],
  EROFS: ["openat", "mkdir", "rename", "unlink", "link", "rmdir"],
};

export async function explore(scene: Scene, exploration: Exploration): Promise<Report> {
  const { victims, stride, seed, errors } = exploration;
  const top = mkdtempSync(join(tmpdir(), "millrace-crash-"));
  let folders = 0;
  // All of the same length and place in the path, so that the points of one are those of another.
  const place = async () => {
    const number = folders++;
    const folder = join(top, String(number), "at");
    mkdirSync(folder, { recursive: true });
    await scene.prepare(folder);
    return { folder, trace: join(top, `${number}.trace`), program: { folder, words: scene.words(folder, victims) } };
  };
  try {
    const first = await place();
    const { life, points } = await record(first.program, first.trace);
    assert.equal(life.status, 0, `${scene.name} does not end well by itself: ${life.lines.at(-1)} ${life.stderr}`);
    await scene.check(first.folder, life.lines, true);
    const report: Report = {
      scene: scene.name,
      points: points.length,
      kills: 0,
      recoveriesKilled: 0,
      failures: 0,
      codes: {},
      restarts: 0,
      notReached: 0,
      found: [],
    };
    const chosen = points
      .filter(({ isReading }) => !isReading)
      .filter((_, index) => index % stride === seed % stride)
      .map((point): Interruption => ({ kind: "kill", point }));
    for (const error of errors) {
      const calls = callsByError[error]!;
      const hit = points.filter(
        ({ call, isReading }) => calls.includes(call) && !(isReading && (error === "EROFS" || error === "ENOSPC")),
      );
      chosen.push(
        ...hit
          .filter((_, index) => index % stride === seed % stride)
          .map((point): Interruption => ({ kind: "fail", point, error })),
      );
    }
    const tasks = chosen.map((interruption, index) => async () => {
      const at = await place();
      const moved = movedTo(interruption, first.folder, at.folder);
      try {
        await interruptOnce(scene, moved, at, { report, recoveryPoint: 1 + ((seed + index * 7) % recoveryPointsMax) });
      } catch (error) {
        report.found.push(`${shown(moved)}: ${error instanceof Error ? error.message : String(error)}`);
      }
      rmSync(join(at.folder, ".."), { recursive: true, force: true });
    });
    await Promise.all(
      Array.from({ length: exploration.processes ?? 1 }, async () => {
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task();
      }),
    );
    return report;
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

interface Place {
  readonly folder: string;
  readonly trace: string;
  readonly program: Program;
}

async function interruptOnce(
  scene: Scene,
  interruption: Interruption,
  { folder, trace, program }: Place,
  { report, recoveryPoint }: { readonly report: Report; readonly recoveryPoint: number },
): Promise<void> {
  const said: string[] = [];
  const take = async (life: Life) => {
    assert(!life.isHung, "the victim hangs");
    said.push(...life.lines.filter((line) => !line.startsWith("error ")));
    await scene.check(folder, said, life.status === 0);
    return life;
  };
  const life = await take(await runInterrupted(program, interruption, trace));
  if (interruption.kind === "kill") {
    if (life.signal !== "SIGKILL") {
      assert.equal(life.status, 0, `the victim failed without being interrupted: ${life.lines.at(-1)} ${life.stderr}`);
      report.notReached++;
      return;
    }
    report.kills++;
    const recovery: Interruption = { kind: "kill anywhere", calls: recoveryCalls, nth: recoveryPoint };
    const second = await take(await runInterrupted(program, recovery, trace));
    report.restarts++;
    if (second.signal === "SIGKILL") report.recoveriesKilled++;
    else assert.equal(second.status, 0, `recovery fails: ${second.lines.at(-1)} ${second.stderr}`);
  } else if (life.injected === 0) {
    report.notReached++;
  } else {
    report.failures++;
    const error = interruption.kind === "kill anywhere" ? "" : interruption.error;
    if (life.status !== 0) {
      const code = /^error (\S+)/.exec(life.lines.at(-1) ?? "")?.[1];
      assert(
        code !== undefined,
        `no error of Millrace, but ${life.signal ?? life.status}: ${life.stderr.slice(0, 600)}`,
      );
      assert(scene.codes[error]?.includes(code), `${error} is told as: ${life.lines.at(-1)}`);
      report.codes[code] = (report.codes[code] ?? 0) + 1;
    }
  }
  const last = await take(await runUndisturbed(program));
  report.restarts++;
  assert.equal(last.status, 0, `it does not go on once nothing is wrong: ${last.lines.at(-1)} ${last.stderr}`);
}

/** The same interruption of a victim in another folder. */
function movedTo(interruption: Interruption, from: string, to: string): Interruption {
  if (interruption.kind !== "kill" && interruption.kind !== "fail") return interruption;
  const point: Point = { ...interruption.point, path: to + interruption.point.path.slice(from.length) };
  return { ...interruption, point };
}

function shown(interruption: Interruption): string {
  switch (interruption.kind) {
    case "kill":
    case "fail": {
      const { call, path, nth } = interruption.point;
      const what = interruption.kind === "kill" ? "killed at" : `${interruption.error} of`;
      return `${what} ${call} ${nth} of ${path}`;
    }
    case "fail for good":
      return `${interruption.error} from the start`;
    case "kill anywhere":
      return `killed at its call ${interruption.nth}`;
  }
}
