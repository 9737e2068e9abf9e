import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { storeConformance } from "../../test/conformance/store.ts";
import { FakeClock, settled } from "../../test/support/fake-clock.ts";
import { openLevelStore } from "./leveldb.ts";

const never = new AbortController().signal;

storeConformance("leveldb", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-level-"));
  const directory = join(folder, "state");
  let store = await openLevelStore(directory);
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await openLevelStore(directory);
      return store;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
});

describe("leveldb store on disk", () => {
  let folder: string;
  let directory: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-level-"));
    directory = join(folder, "state");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("refuses a second opener by name", async () => {
    const store = await openLevelStore(directory);
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: "state-busy" });
    await store.close();
  });

  it.each(["in its log", "in tables"])(
    "fault 38: serves all that was stored or refuses, whichever byte of its files is flipped: %s",
    async (where) => {
      const wanted = await fill(directory);
      // A start writes the content of the log into a table.
      if (where === "in tables") await (await openLevelStore(directory)).close();
      const files = filesOf(directory).filter((name) =>
        /^\d+\.(log|ldb)$|^MANIFEST|^CURRENT$|^acknowledged$/.test(name),
      );
      // Some thousand stores are opened, each with several syncs.
      const memory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : folder, "millrace-level-"));
      onTestFinished(() => rmSync(memory, { recursive: true, force: true }));
      const outcomes = { refused: 0, irrelevant: 0 };
      const flip = async (name: string, original: Buffer, at: number): Promise<void> => {
        const copy = join(memory, `${name}-${at}`);
        cpSync(directory, copy, { recursive: true });
        const broken = Buffer.from(original);
        broken[at]! ^= 1 << (at % 8);
        writeFileSync(join(copy, name), broken);
        const outcome = await readAll(copy);
        if (outcome === "refused") outcomes.refused++;
        else {
          outcomes.irrelevant++;
          expect([...outcome], `${name} at ${at}`).toEqual([...wanted]);
        }
        rmSync(copy, { recursive: true });
      };
      for (const name of files) {
        const original = readFileSync(join(directory, name));
        for (let at = 0; at < original.length; at += 16) {
          const length = Math.min(16, original.length - at);
          await Promise.all(Array.from({ length }, (_, i) => flip(name, original, at + i)));
        }
      }
      expect(outcomes.refused).toBeGreaterThan(200);
      expect(outcomes.irrelevant).toBeGreaterThan(0);
    },
  );

  it("fault 38: refuses when a file is gone, or ends early", async () => {
    await fill(directory);
    await (await openLevelStore(directory)).close();
    const again = await openLevelStore(directory);
    await (await again.lead("b", never)).commit([{ put: { key: "late", value: Buffer.from("in the log") } }]);
    await again.close();
    const outcomes: Record<string, unknown> = {};
    for (const name of filesOf(directory)) {
      for (const keep of [undefined, 0, Math.floor(statSync(join(directory, name)).size / 2)]) {
        const copy = join(folder, "copy");
        cpSync(directory, copy, { recursive: true });
        if (keep === undefined) rmSync(join(copy, name));
        else truncateSync(join(copy, name), keep);
        const outcome = await readAll(copy);
        outcomes[`${name.replace(/\d+/, "N")} ${keep === undefined ? "gone" : keep === 0 ? "empty" : "half"}`] =
          outcome === "refused" ? outcome : outcome.size;
        rmSync(copy, { recursive: true });
      }
    }
    // What LevelDB only locks or writes for people may go; what says how much was acknowledged is checked against the
    // rest.
    const harmless = Object.keys(outcomes).filter((key) => outcomes[key] !== "refused");
    expect(
      harmless.every((key) => /^(LOCK|LOG|LOG\.old|acknowledged) /.test(key)),
      harmless.join(),
    ).toBe(true);
    for (const key of harmless) expect(outcomes[key], key).toBe(recordsFilled + 1);
    expect(Object.keys(outcomes).length - harmless.length).toBeGreaterThan(9);
  });

  it("fault 38: has what was in a log that LevelDB could not read, and has removed, when it was opened before", async () => {
    const wanted = await fill(directory);
    const logs = filesOf(directory).filter((name) => name.endsWith(".log"));
    expect(logs.length).toBeGreaterThan(0);
    // As an opening leaves it in which one read failed and whose process died: LevelDB goes on without, and removes it.
    for (const name of logs) renameSync(join(directory, name), join(directory, `kept-${parseInt(name, 10)}-1`));
    expect(await readAll(directory)).toEqual(wanted);
    expect(filesOf(directory).filter((name) => name.startsWith("kept-"))).toEqual([]);
    expect(await readAll(directory)).toEqual(wanted);
  });

  it("says what to do about damage, in the words of who opened it", async () => {
    await fill(directory);
    await (await openLevelStore(directory)).close();
    rmSync(join(directory, "CURRENT"));
    await expect(openLevelStore(directory, { mend: "Restore it from a copy" })).rejects.toMatchObject({
      code: "corrupt-state",
      message: expect.stringMatching(/commits that were acknowledged are gone\)\. Restore it from a copy$/),
    });
  });

  it("fault 37: holds commits back while the disk has less to spare than it wants, and goes on with the right ones", async () => {
    let freeBytes = 999;
    const clock = new FakeClock();
    const options = { spareBytes: 1000, clock, freeBytes: () => freeBytes };
    const store = await openLevelStore(directory, options);
    let isLed = false;
    const leading = store.lead("a", never).then((leader) => {
      isLed = true;
      return leader;
    });
    await settled();
    expect(isLed).toBe(false);
    freeBytes = 1_000_000;
    await clock.pass(500);
    const leader = await leading;
    await leader.commit([{ put: { key: "k", value: Buffer.from("v") } }]);
    freeBytes = 0;
    const held = leader.commit([{ put: { key: "l", value: Buffer.from("w") } }]);
    held.catch(() => {});
    await settled();
    await store.close();
    await expect(held).rejects.toMatchObject({ code: "not-leader" });
    expect(await readAll(directory)).toEqual(new Map([["k", "v"]]));
  });

  it("I4: loses nothing that was acknowledged when its process is killed", async () => {
    const acknowledged = await writeUntilKilled(
      `await leader.commit([{ put: { key: "n/" + String(i).padStart(9, "0"), value: Buffer.from(String(i)) } }]);`,
      25,
    );
    expect(acknowledged).toBeGreaterThanOrEqual(25);
    const found = await readAll(directory);
    expect(found).not.toBe("refused");
    for (let i = 0; i <= acknowledged; i++)
      expect((found as Map<string, string>).get(`n/${String(i).padStart(9, "0")}`)).toBe(String(i));
  });

  it("keeps a prefix of the changes when its process is killed within a commit, whole pieces of it", async () => {
    // 16 MB a commit: eight batches, one after the other.
    const changes = 64;
    const acknowledged = await writeUntilKilled(
      `await leader.commit(Array.from({ length: ${changes} }, (_, n) => ({
         put: { key: String(i * ${changes} + n).padStart(9, "0"), value: Buffer.alloc(250_000, n) } })));`,
      1,
    );
    const store = await openLevelStore(directory);
    const keys: number[] = [];
    for await (const { key } of store.scan("")) keys.push(Number(key));
    await store.close();
    expect(keys).toEqual(keys.map((_, n) => n));
    expect(keys.length).toBeGreaterThanOrEqual((acknowledged + 1) * changes);
  });

  /** Runs `step` in a process of its own, for i = 0, 1, …; kills it once `count` is acknowledged; the last that was. */
  async function writeUntilKilled(step: string, count: number): Promise<number> {
    const script = join(folder, "writer.mjs");
    const bundled = buildSync({
      stdin: {
        contents: `import { openLevelStore } from ${JSON.stringify(new URL("./leveldb.ts", import.meta.url).pathname)};
const store = await openLevelStore(process.argv[2]);
const leader = await store.lead("writer", new AbortController().signal);
for (let i = 0; ; i++) {
  ${step}
  console.log(i);
}`,
        resolveDir: folder,
        loader: "ts",
      },
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      external: ["classic-level"],
    }).outputFiles[0]!.text;
    const level = pathToFileURL(createRequire(import.meta.url).resolve("classic-level")).href;
    writeFileSync(script, bundled.replaceAll('"classic-level"', JSON.stringify(level)));
    const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
    let acknowledged = -1;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (acknowledged === count) child.kill("SIGKILL");
    }
    await ended;
    return acknowledged;
  }
});

const recordsFilled = 3;

/** Some records, written, overwritten and deleted in several commits. */
async function fill(directory: string): Promise<Map<string, string>> {
  const store = await openLevelStore(directory);
  const leader = await store.lead("a", never);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < recordsFilled; i++)
      await leader.commit([
        { put: { key: `key/${i}`, value: Buffer.from(`value ${i} of round ${round}`) } },
        { put: { key: `gone/${i}`, value: Buffer.from("for a while") } },
        { delete: `gone/${i - 1}` },
      ]);
  }
  await leader.commit([{ delete: `gone/${recordsFilled - 1}` }]);
  await store.close();
  return new Map(Array.from({ length: recordsFilled }, (_, i) => [`key/${i}`, `value ${i} of round 1`]));
}

const filesOf = (directory: string) =>
  readdirSync(directory).filter((name) => statSync(join(directory, name)).isFile());

async function readAll(directory: string): Promise<Map<string, string> | "refused"> {
  let store: Awaited<ReturnType<typeof openLevelStore>> | undefined;
  try {
    store = await openLevelStore(directory);
    await store.lead("reader", never);
    const found = new Map<string, string>();
    for await (const { key, value } of store.scan("")) found.set(key, Buffer.from(value).toString());
    return found;
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^(corrupt-state|io-error)$/) });
    return "refused";
  } finally {
    await store?.close();
  }
}
