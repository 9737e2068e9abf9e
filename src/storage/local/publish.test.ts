// Publishing that is cut off at every call, and that two processes do at the same time.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Call, interposedFs, systemError } from "../../../test/conformance/faulty-fs.ts";
import { contentsOf, stagedDecision } from "../../../test/conformance/storage.ts";
import { systemCode } from "../../base/error.ts";
import type { CommitDecision, Storage } from "../storage.ts";
import { hiddenOf, hiddenOfDecision } from "./hidden.ts";
import { createLocalStorage } from "./local.ts";

let top: string;
let round = 0;
beforeEach(() => {
  // There are thousands of fsyncs, so it runs in memory where there is a file system in memory.
  top = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "millrace-publish-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const oldContents = { "part-00000.tsv": "old\n", "part-00001.tsv": "old too\n" };
const newContents = { "part-00000.tsv": "new\n", "part-00001.tsv": "", "rejects/part-m-00000.txt": "bad\n" };
const plain = createLocalStorage();

interface Scene {
  readonly destination: string;
  readonly decision: CommitDecision;
  /** What a reader may see before the new output is there. */
  readonly before: ReadonlyMap<string, string> | undefined;
  readonly after: ReadonlyMap<string, string>;
}

type Kind = "new" | "empty directory" | "overwrite" | "mount point";

async function sceneOf(kind: Kind): Promise<Scene> {
  const destination = join(top, `out${round++}`);
  let replaces: string | undefined;
  let before: ReadonlyMap<string, string> | undefined;
  if (kind === "overwrite") {
    const old = await stagedDecision(plain, destination, oldContents);
    await plain.publish(old);
    await plain.discard(destination, old.job);
    replaces = (await plain.prepare(destination, true)).replaces;
    before = contentsOf(old, oldContents);
  } else if (kind !== "new") {
    mkdirSync(destination);
    before = new Map();
  }
  const decision = await stagedDecision(plain, destination, newContents, replaces);
  return { destination, decision, before, after: contentsOf(decision, newContents) };
}

/** Fails the rename as a mount point does. */
function refuseMount({ name, args }: Call, scene: Scene): void {
  if (name === "rename" && args[1] === scene.destination) throw systemError("EXDEV", "cross-device link not permitted");
}

function storageWith(before: (call: Call) => void | Promise<void>): Storage {
  let names = 0;
  return createLocalStorage({ fs: interposedFs(before), uniqueName: () => `unique-${round++}-${names++}` });
}

const kinds: readonly Kind[] = ["new", "empty directory", "overwrite", "mount point"];

describe.each(kinds)("publishing to: %s", (kind) => {
  const refuse = (call: Call, scene: Scene) => {
    if (kind === "mount point") refuseMount(call, scene);
  };

  test("fault 64: killed before any of its calls, the output is as before or complete, and publishing again completes it", async () => {
    const count = await forEveryCall(async (n) => {
      const scene = await sceneOf(kind);
      let calls = 0;
      let lastOpened = "";
      const killed = storageWith((call) => {
        refuse(call, scene);
        if (call.name === "open" && String(call.args[1]).startsWith("w")) lastOpened = String(call.args[0]);
        if (calls === n) {
          if (call.name === "writeFile") tearWrite(lastOpened, call);
          if (call.name === "copyFile") writeFileSync(String(call.args[1]), "");
        }
        if (calls++ >= n) throw systemError("KILLED");
      });
      const done = await succeeded(killed.publish(scene.decision));
      if (!done) expectAsBeforeOrComplete(scene, kind);
      await storageWith((call) => refuse(call, scene)).publish(scene.decision);
      await expectPublished(scene);
      return done;
    });
    expect(count).toBeGreaterThan(20);
  });

  test("any call failing once is an error by name or goes unnoticed; publishing again completes it", async () => {
    await forEveryCall(async (n) => {
      const failing = ["ENOSPC", "EIO", "EMFILE"][n % 3]!;
      const scene = await sceneOf(kind);
      let calls = 0;
      let failed = false;
      const faulty = storageWith((call) => {
        refuse(call, scene);
        if (calls++ === n) {
          failed = true;
          throw systemError(failing);
        }
      });
      try {
        await faulty.publish(scene.decision);
      } catch (thrown) {
        expect(thrown).toMatchObject({ name: "MillraceError", code: failing === "ENOSPC" ? "no-space" : "io-error" });
        expectAsBeforeOrComplete(scene, kind);
      }
      await storageWith((call) => refuse(call, scene)).publish(scene.decision);
      await expectPublished(scene);
      return !failed;
    });
  });

  test("a file that someone removes up to the last look, right before the output is seen, is missed: it is no success", async () => {
    const publishRemovingAt = async (n: number) => {
      const scene = await sceneOf(kind);
      let calls = 0;
      let lastLook = 0;
      const watched = storageWith((call) => {
        refuse(call, scene);
        if (call.name === "readdir" && isPublishing(String(call.args[0]), scene, kind)) lastLook = calls;
        if (calls++ === n) removeUnpublished(scene);
      });
      const done = await succeeded(watched.publish(scene.decision));
      if (done) await expectPublished(scene);
      return { done, lastLook };
    };
    const { done, lastLook } = await publishRemovingAt(Number.POSITIVE_INFINITY);
    expect({ done, looks: lastLook > 10 }).toEqual({ done: true, looks: true });
    let missed = 0;
    for (let n = 0; n <= lastLook; n++) if (!(await publishRemovingAt(n)).done) missed++;
    expect(missed).toBeGreaterThan(lastLook / 2);
  });

  test("killed while discarding before the decision was carried out, what was there before is there, and nothing is left", async () => {
    for (const publishCalls of [30, 50]) {
      await forEveryCall(async (n) => {
        const scene = await sceneOf(kind);
        let calls = 0;
        const half = storageWith((call) => {
          refuse(call, scene);
          if (calls++ >= publishCalls) throw systemError("KILLED");
        });
        await succeeded(half.publish(scene.decision));
        const reached = seen(scene.destination);
        calls = 0;
        const done = await succeeded(
          storageWith(() => {
            if (calls++ >= n) throw systemError("KILLED");
          }).discard(scene.destination, scene.decision.job),
        );
        await plain.discard(scene.destination, scene.decision.job);
        if (reached?.has("_SUCCESS")) expect(seen(scene.destination)).toEqual(reached);
        else if (kind !== "mount point") expect(seen(scene.destination)).toEqual(scene.before);
        expectNothingLeft(scene);
        return done;
      });
    }
  });

  test("faults 33, 65: two masters publish the same decision, in any interleaving; a reader never sees a part", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, thenDiscard) => {
        const scene = await sceneOf(kind);
        let complete = false;
        const master = () =>
          storageWith(async (call) => {
            await scheduler.schedule(Promise.resolve(), call.name);
            const now = seen(scene.destination);
            if (now?.get("_SUCCESS") === scene.after.get("_SUCCESS")) complete = true;
            // Between two renames there is no output at all, but there is never a part of one.
            if (complete) expect(visible(now)).toEqual(scene.after);
            else if (kind !== "mount point" && now !== undefined)
              expect(now).toEqual(scene.before ?? expect.anything());
            refuse(call, scene);
          });
        const [one, two] = [master(), master()];
        const ended = Promise.all([one.publish(scene.decision), two.publish(scene.decision)]);
        await scheduler.waitFor(ended);
        if (thenDiscard) await plain.discard(scene.destination, scene.decision.job);
        await expectPublished(scene);
      }),
      { numRuns: 15 },
    );
  });
});

test("a master that was paused before moving the old output aside does not move the new one", async () => {
  const scene = await sceneOf("overwrite");
  const { replaced } = hiddenOf(scene.destination, scene.decision.job);
  let other = false;
  const paused = storageWith(async ({ name, args }) => {
    if (name !== "rename" || args[1] !== replaced || other) return;
    other = true;
    await plain.publish(scene.decision);
  });
  await paused.publish(scene.decision);
  expect(other).toBe(true);
  await expectPublished(scene);
});

test("a directory that took the old output's name at the last moment is put back", async () => {
  const scene = await sceneOf("overwrite");
  const { replaced } = hiddenOf(scene.destination, scene.decision.job);
  let swapped = false;
  const racing = storageWith(({ name, args }) => {
    if (name !== "rename" || args[1] !== replaced || swapped) return;
    swapped = true;
    rmSync(scene.destination, { recursive: true });
    mkdirSync(scene.destination);
    writeFileSync(join(scene.destination, "thesis.tex"), "years of work");
  });
  await expect(racing.publish(scene.decision)).rejects.toMatchObject({ code: "output-exists" });
  expect(seen(scene.destination)).toEqual(new Map([["thesis.tex", "years of work"]]));
});

test("a staged file that was cut or lost is found before anything is visible", async () => {
  for (const damage of ["cut", "lost"]) {
    const scene = await sceneOf("new");
    const { files } = hiddenOf(scene.destination, scene.decision.job);
    const path = join(files, scene.decision.files[0]!.token);
    if (damage === "cut") writeFileSync(path, "n");
    else rmSync(path);
    await expect(plain.publish(scene.decision)).rejects.toMatchObject({
      code: "corrupt-output",
      message: expect.stringContaining("part-00000.tsv"),
    });
    expect(seen(scene.destination)).toBeUndefined();
  }
});

test("a lost staged file is not made up for by one of the same name and size in the output it replaces", async () => {
  const scene = await sceneOf("overwrite");
  rmSync(join(hiddenOf(scene.destination, scene.decision.job).files, scene.decision.files[0]!.token));
  await expect(plain.publish(scene.decision)).rejects.toMatchObject({ code: "corrupt-output" });
  expect(seen(scene.destination)).toEqual(scene.before);
});

test("files that another put into the empty mount point are not mixed with the output", async () => {
  const scene = await sceneOf("mount point");
  const refusing = storageWith((call) => refuseMount(call, scene));
  writeFileSync(join(scene.destination, "theirs"), "");
  await expect(refusing.publish(scene.decision)).rejects.toMatchObject({ code: "output-exists" });
  expect(readdirSync(scene.destination)).toEqual(["theirs"]);
});

/** Runs with n = 0, 1, 2, … until `run` says that the n-th call was not reached. Returns how many there were. */
async function forEveryCall(run: (n: number) => Promise<boolean>): Promise<number> {
  for (let n = 0; ; n++) {
    if (n > 500) throw new Error("there is no end of calls");
    if (await run(n)) return n;
  }
}

async function succeeded(step: Promise<void>): Promise<boolean> {
  try {
    await step;
    return true;
  } catch {
    return false;
  }
}

function tearWrite(path: string, call: Call): void {
  const bytes = call.args[0] as Uint8Array;
  writeFileSync(path, bytes.subarray(0, bytes.length / 2));
}

function expectAsBeforeOrComplete(scene: Scene, kind: Kind): void {
  const now = seen(scene.destination);
  if (now?.get("_SUCCESS") === scene.after.get("_SUCCESS")) {
    expect(visible(now)).toEqual(scene.after);
  } else if (kind === "mount point") {
    expect(now?.has("_SUCCESS")).toBe(false);
  } else if (kind !== "overwrite" || now !== undefined) {
    // While the old output is being replaced there is a moment without any output.
    expect(now).toEqual(scene.before);
  }
}

async function expectPublished(scene: Scene): Promise<void> {
  expect(seen(scene.destination)).toEqual(scene.after);
  await plain.discard(scene.destination, scene.decision.job);
  expectNothingLeft(scene);
}

/** Fault 66: no garbage. */
function expectNothingLeft({ destination }: Scene): void {
  expect(readdirSync(top).filter((name) => name.startsWith(`.${basename(destination)}.`))).toEqual([]);
}

/** All files below a directory, hidden ones too. Looks again when something was renamed meanwhile. */
function seen(directory: string): ReadonlyMap<string, string> | undefined {
  for (;;) {
    try {
      if (!existsSync(directory)) return undefined;
      const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
      const files = names.filter((name) => statSync(join(directory, name)).isFile());
      return new Map(files.map((name) => [name, readFileSync(join(directory, name), "utf8")]));
    } catch (thrown) {
      if (systemCode(thrown) !== "ENOENT") throw thrown;
    }
  }
}

function visible(files: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  return new Map([...(files ?? [])].filter(([name]) => !name.startsWith(".")));
}

function isPublishing(folder: string, { destination, decision }: Scene, kind: Kind): boolean {
  if (kind === "mount point") return folder === destination && !existsSync(join(destination, "_SUCCESS"));
  return folder === hiddenOfDecision(decision).publish;
}

/** Removes the decision's last file, wherever it lies before the output becomes visible. */
function removeUnpublished({ destination, decision }: Scene): void {
  const { name, token } = decision.files.at(-1)!;
  const { files, publish } = hiddenOfDecision(decision);
  const places = [join(files, token), join(publish, name)];
  if (!existsSync(join(destination, "_SUCCESS"))) places.push(join(destination, name));
  for (const path of places) rmSync(path, { force: true });
}
