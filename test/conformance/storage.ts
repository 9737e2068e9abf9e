// What every storage has to do, run by each of them.
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AttemptId, JobId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { stagingDirectoryOf } from "../../src/storage/local/hidden.ts";
import { encodeManifest, type Manifest } from "../../src/storage/manifest.ts";
import { isStagedBy } from "../../src/storage/staged-token.ts";
import type { CommitDecision, StagedFile, StagedWriter, Storage } from "../../src/storage/storage.ts";

export interface StorageUnderTest {
  readonly storage: Storage;
  /** Makes an input file (or replaces one) and returns the path it is named by; names may hold "/". */
  put(name: string, content: string | Uint8Array): Promise<string>;
  /** What input paths begin with: `put("a/b")` is `root + "a/b"`. */
  readonly root: string;
  /** A place for an output, where nothing is yet. */
  destination(name: string): string;
  /**
   * What a reader finds there, by name; undefined where there is nothing. Hidden things that only this storage makes
   * are left out.
   */
  published(destination: string): Promise<ReadonlyMap<string, string> | undefined>;
  /** Another process takes a staged file away. */
  lose(destination: string, file: StagedFile): Promise<void>;
  /** Another process changes how large it is; undefined: this storage can't see that. */
  readonly cut: ((destination: string, file: StagedFile) => Promise<void>) | undefined;
  /** Everything that staging left anywhere, by name. */
  leftovers(destination: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

let counter = 0;

/** An attempt's id that no other test has. */
export function someAttempt(job: JobId, index = 0): AttemptId {
  counter++;
  return { job, phase: "reduce", index, epoch: 1, attempt: counter };
}

export function someJob(): JobId {
  counter++;
  return `job${String(counter).padStart(29, "0")}`;
}

export async function stageFile(
  storage: Storage,
  destination: string,
  job: JobId,
  name: string,
  content: string,
): Promise<StagedFile> {
  const writer = storage.stage(destination, someAttempt(job), name);
  writer.write(Buffer.from(content));
  const done = await writer.finish();
  return { output: name.includes("/") ? name.split("/")[0]! : "main", name, records: 1, ...done };
}

/** A decision over staged files with the contents given by name. */
export async function stagedDecision(
  storage: Storage,
  destination: string,
  contents: Readonly<Record<string, string>>,
  replaces?: string,
  job: JobId = someJob(),
): Promise<CommitDecision> {
  const files: StagedFile[] = [];
  for (const [name, content] of Object.entries(contents)) {
    files.push(await stageFile(storage, destination, job, name, content));
  }
  return { job, destination, files, replaces, manifest: manifestFor(job, files) };
}

function toFolder(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

/** How many files this process has open; 0 where the system does not tell. */
function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

export function manifestFor(job: JobId, files: readonly StagedFile[]): Uint8Array {
  const manifest: Manifest = {
    job: { name: "test", id: job, bundle: "00", params: "00", startedAt: "2026-01-01T00:00:00.000Z" },
    partitions: files.length,
    files: files.map(({ name, output, bytes, records, sha256 }) => ({ name, output, bytes, records, sha256 })),
    counters: {},
    stats: { inputBytes: 0, map: {}, reduce: {} },
    versions: { millrace: "0.0.0", node: "20" },
  };
  return encodeManifest(manifest);
}

/** What `published` shows of a decision that was published. */
export function contentsOf(
  decision: CommitDecision,
  contents: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  return new Map([...Object.entries(contents), ["_SUCCESS", Buffer.from(decision.manifest).toString("utf8")]]);
}

export function storageConformance(name: string, open: () => Promise<StorageUnderTest>): void {
  describe(`${name} as a storage`, () => {
    let under: StorageUnderTest;
    let storage: Storage;
    beforeEach(async () => {
      under = await open();
      storage = under.storage;
    });
    /** Folders of what was saved. */
    const kept: string[] = [];
    afterEach(async () => {
      for (const folder of kept.splice(0)) rmSync(folder, { recursive: true, force: true });
      await under.close();
    });

    const namesOf = async (argument: string) =>
      (await storage.list(argument)).map((file) => file.path.slice(under.root.length));
    const readAll = async (path: string, start = 0, end = Number.POSITIVE_INFINITY) => {
      const file = (await storage.stat(path))!;
      const chunks: Buffer[] = [];
      for await (const chunk of storage.read(file, start, Math.min(end, file.bytes))) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks);
    };

    test("a file that is named is listed with its size", async () => {
      const path = await under.put("a.txt", "hello");
      expect(await storage.list(path)).toEqual([
        { path, bytes: 5, version: expect.any(String), hosts: expect.any(Array) },
      ]);
      expect(await storage.stat(path)).toEqual((await storage.list(path))[0]);
    });

    test("where there is no file, there is none", async () => {
      expect(await storage.list(`${under.root}nothing`)).toEqual([]);
      expect(await storage.list(`${under.root}nothing*`)).toEqual([]);
      expect(await storage.stat(`${under.root}nothing`)).toBeUndefined();
    });

    test("a directory is all files in it and below, in the order of their paths' bytes, without hidden names", async () => {
      for (const file of ["d/b", "d/a/z", "d/a-b", "d/\uFF5E", "d/\u{1F600}", "d/_tmp", "d/.crc", "d/_x/y", "d/.x/y"]) {
        await under.put(file, file);
      }
      expect(await namesOf(`${under.root}d`)).toEqual(["d/a-b", "d/a/z", "d/b", "d/\uFF5E", "d/\u{1F600}"]);
    });

    test("a glob names files", async () => {
      for (const file of ["g/b.txt", "g/a.txt", "g/a.csv", "g/s/c.txt", "g/_t.txt"]) await under.put(file, file);
      expect(await namesOf(`${under.root}g/*.txt`)).toEqual(["g/a.txt", "g/b.txt"]);
      expect(await namesOf(`${under.root}g/**/*.txt`)).toEqual(["g/a.txt", "g/b.txt", "g/s/c.txt"]);
      expect(await namesOf(`${under.root}g/a.{txt,csv}`)).toEqual(["g/a.csv", "g/a.txt"]);
      expect(await namesOf(`${under.root}g/_*`)).toEqual(["g/_t.txt"]);
    });

    test("fault 68: white space, line ends, signs and any letters are a path's own", async () => {
      const names = [
        "a b",
        "tab\there",
        "new\nline",
        "h#sh",
        "q?uery",
        "p%20c",
        "s*ar",
        "br[ck]",
        "{c}",
        "é",
        "日本",
        "'q\"",
        "b\\s",
        "-",
        "$HOME",
      ];
      for (const file of names) await under.put(`odd/${file}`, file);
      const listed = await namesOf(`${under.root}odd`);
      expect(listed.slice().sort()).toEqual(names.map((file) => `odd/${file}`).sort());
      for (const file of names) {
        expect(await namesOf(`${under.root}odd/${file}`)).toEqual([`odd/${file}`]);
        expect((await readAll(`${under.root}odd/${file}`)).toString()).toBe(file);
      }
    });

    test("a range of a file is read, in chunks of at most the limit", async () => {
      const content = Buffer.alloc(limits.inputChunkBytes * 2 + 17, "0123456789abcdef_");
      const path = await under.put("big", content);
      expect((await readAll(path)).equals(content)).toBe(true);
      expect((await readAll(path, 5, 9)).toString()).toBe("5678");
      expect((await readAll(path, content.length - 3)).equals(content.subarray(-3))).toBe(true);
      expect(await readAll(path, content.length)).toHaveLength(0);
      for await (const chunk of storage.read((await storage.stat(path))!, 1, content.length)) {
        expect(chunk.length).toBeLessThanOrEqual(limits.inputChunkBytes);
      }
    });

    test("fault 70: an empty file is listed and has no bytes", async () => {
      const path = await under.put("empty", "");
      expect(await storage.stat(path)).toMatchObject({ bytes: 0 });
      expect(await readAll(path)).toHaveLength(0);
    });

    test("fault 74: a file that was rewritten, cut or removed is not read as if it were the old one", async () => {
      for (const change of ["other content", "longer than it was before", "x"]) {
        const path = await under.put("changing", "first content");
        const file = (await storage.stat(path))!;
        await under.put("changing", change);
        const reading = (async () => {
          for await (const _ of storage.read(file, 0, file.bytes)) expect.unreachable("bytes of another version");
        })();
        await expect(reading).rejects.toMatchObject({ code: "input-changed", message: expect.stringContaining(path) });
      }
    });

    test("staged files are invisible until they are published, then all there, with sizes and checksums", async () => {
      const destination = under.destination("out");
      const contents = { "part-00000.tsv": "a\t1\n", "part-00001.tsv": "", "rejects/part-m-00000.txt": "bad\n" };
      const decision = await stagedDecision(storage, destination, contents);
      expect(await under.published(destination)).toBeUndefined();
      expect(decision.files[0]).toMatchObject({
        bytes: 4,
        sha256: createHash("sha256").update("a\t1\n").digest("hex"),
      });
      await storage.publish(decision);
      expect(await under.published(destination)).toEqual(contentsOf(decision, contents));
    });

    test("a staged file's token says which attempt staged it, and no other text does", async () => {
      const destination = under.destination("out");
      const [mine, theirs] = [someAttempt(someJob()), someAttempt(someJob())];
      const writer = storage.stage(destination, mine, "part-00000.tsv");
      writer.write(Buffer.from("a\n"));
      const file: StagedFile = { output: "main", name: "part-00000.tsv", records: 1, ...(await writer.finish()) };
      expect(isStagedBy(mine, destination, file)).toBe(true);
      expect(isStagedBy(theirs, destination, file)).toBe(false);
      for (const token of ["", "x", `${file.token}x`, "W10", "e30", "\u0000", "a".repeat(1 << 20)])
        expect(isStagedBy(mine, destination, { ...file, token }), token.slice(0, 20)).toBe(false);
      await storage.discard(destination, mine.job);
    });

    test("publishing again, before and after discarding, changes nothing", async () => {
      const destination = under.destination("out");
      const contents = { "part-00000.tsv": "a\n", "x/part-00000.txt": "b\n" };
      const decision = await stagedDecision(storage, destination, contents);
      for (let i = 0; i < 3; i++) {
        await storage.publish(decision);
        if (i > 0) await storage.discard(destination, decision.job);
        expect(await under.published(destination)).toEqual(contentsOf(decision, contents));
      }
      expect(await under.leftovers(destination)).toEqual([]);
    });

    test("an output of no files is published", async () => {
      const destination = under.destination("out");
      const decision = await stagedDecision(storage, destination, {});
      await storage.publish(decision);
      expect(await under.published(destination)).toEqual(contentsOf(decision, {}));
    });

    test("fault 62: output that exists is refused before the work, and again when it appeared meanwhile", async () => {
      const destination = under.destination("out");
      expect(await storage.prepare(destination, false)).toEqual({ replaces: undefined });
      const mine = await stagedDecision(storage, destination, { "part-00000.tsv": "mine" });
      const theirs = await stagedDecision(storage, destination, { "part-00000.tsv": "theirs" });
      await storage.publish(theirs);
      await expect(storage.prepare(destination, false)).rejects.toMatchObject({
        code: "output-exists",
        message: expect.stringMatching(/--overwrite/),
      });
      await expect(storage.publish(mine)).rejects.toMatchObject({ code: "output-exists" });
      expect(await under.published(destination)).toEqual(contentsOf(theirs, { "part-00000.tsv": "theirs" }));
    });

    test("output that would lie inside a published output is refused before the work, and what lies beside it is not", async () => {
      const around = under.destination("out");
      const decision = await stagedDecision(storage, around, { "part-00000.tsv": "a", "x/part-00000.txt": "b" });
      // Nothing is published there yet.
      expect(await storage.prepare(`${around}/sub`, false)).toEqual({ replaces: undefined });
      await storage.publish(decision);
      await storage.discard(around, decision.job);
      for (const inside of ["sub", "x/sub", "a/b/c/d", "x"]) {
        for (const overwrite of [false, true]) {
          await expect(storage.prepare(`${around}/${inside}`, overwrite)).rejects.toMatchObject({
            code: "output-exists",
            message: expect.stringMatching(/would lie inside \S+out, which is a published output.* with -o/),
          });
        }
      }
      for (const beside of ["out2", "out-more/sub", "other/out"])
        expect(await storage.prepare(under.destination(beside), false)).toEqual({ replaces: undefined });
      expect(await under.published(around)).toEqual(
        contentsOf(decision, { "part-00000.tsv": "a", "x/part-00000.txt": "b" }),
      );
      expect(await under.leftovers(around)).toEqual([]);
      expect((await storage.prepare(around, true)).replaces).toBeDefined();
    });

    test("--overwrite replaces the output that was there, and only that", async () => {
      const destination = under.destination("out");
      const first = await stagedDecision(storage, destination, { "part-00000.tsv": "one", "part-00001.tsv": "1" });
      await storage.publish(first);
      await storage.discard(destination, first.job);
      const { replaces } = await storage.prepare(destination, true);
      expect(replaces).toBeDefined();
      const second = await stagedDecision(storage, destination, { "part-00000.tsv": "two" }, replaces);
      const third = await stagedDecision(storage, destination, { "part-00000.tsv": "three" }, replaces);
      await storage.publish(second);
      expect(await under.published(destination)).toEqual(contentsOf(second, { "part-00000.tsv": "two" }));
      // The third was to replace the first, which is gone.
      await expect(storage.publish(third)).rejects.toMatchObject({ code: "output-exists" });
      // A late publisher of the second finds its own output and leaves it.
      await storage.publish(second);
      await storage.discard(destination, third.job);
      await storage.discard(destination, second.job);
      await storage.publish(second);
      expect(await under.published(destination)).toEqual(contentsOf(second, { "part-00000.tsv": "two" }));
      expect(await under.leftovers(destination)).toEqual([]);
    });

    test("a late publisher does not bring back an output that another job has replaced", async () => {
      const destination = under.destination("out");
      const first = await stagedDecision(storage, destination, { "part-00000.tsv": "one" });
      await storage.publish(first);
      const { replaces } = await storage.prepare(destination, true);
      const second = await stagedDecision(storage, destination, { "part-00000.tsv": "two" }, replaces);
      await storage.publish(second);
      await expect(storage.publish(first)).rejects.toThrow();
      expect(await under.published(destination)).toEqual(contentsOf(second, { "part-00000.tsv": "two" }));
    });

    test("what is discarded is gone and can't be published; discarding may be repeated", async () => {
      const destination = under.destination("out");
      const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "x" });
      await storage.discard(destination, decision.job);
      await storage.discard(destination, decision.job);
      expect(await under.leftovers(destination)).toEqual([]);
      await expect(storage.publish(decision)).rejects.toMatchObject({ code: "corrupt-output" });
      expect(await under.published(destination)).toBeUndefined();
      expect(await under.leftovers(destination)).toEqual([]);
    });

    test("discarding one job leaves another one's staged files for the same destination", async () => {
      const destination = under.destination("out");
      const contents = { "part-00000.tsv": "x" };
      const kept = await stagedDecision(storage, destination, contents);
      const dropped = await stagedDecision(storage, destination, contents);
      await storage.discard(destination, dropped.job);
      await storage.publish(kept);
      expect(await under.published(destination)).toEqual(contentsOf(kept, contents));
    });

    test("two attempts at the same file don't see each other; an aborted one leaves nothing", async () => {
      const destination = under.destination("out");
      const job = someJob();
      const winner = storage.stage(destination, someAttempt(job), "part-00000.tsv");
      const loser = storage.stage(destination, someAttempt(job), "part-00000.tsv");
      winner.write(Buffer.from("win"));
      loser.write(Buffer.from("lose"));
      expect(loser.bytes).toBe(4);
      const file = { output: "main", name: "part-00000.tsv", records: 1, ...(await winner.finish()) };
      loser.abort();
      loser.abort();
      const decision = { job, destination, files: [file], replaces: undefined, manifest: manifestFor(job, [file]) };
      await storage.publish(decision);
      expect(await under.published(destination)).toEqual(contentsOf(decision, { "part-00000.tsv": "win" }));
    });

    // ── what an attempt has saved of a staged file ───────────────────────────

    /** An attempt writes, saves, writes more, and is gone. What was saved, and the file that holds it. */
    const savedOf = (destination: string, job: JobId, name: string, content: string) => {
      const writer = storage.stage(destination, someAttempt(job), name, undefined, { isSavable: true });
      writer.write(Buffer.from(content));
      const saved = writer.save();
      const folder = mkdtempSync(join(tmpdir(), "millrace-kept-"));
      kept.push(folder);
      const file = saved.file && join(folder, "kept");
      if (saved.file !== undefined) linkSync(saved.file, file!);
      writer.write(Buffer.from("more"));
      writer.leave();
      const path = file ?? join(stagingDirectoryOf(destination, job), "files", saved.token);
      return { saved: { ...saved, file }, path };
    };

    test("another attempt goes on from what one has saved, as if it had written that itself", async () => {
      const destination = under.destination("out");
      const job = someJob();
      for (const content of ["half of ", ""]) {
        const { saved } = savedOf(destination, job, "part-00000.tsv", content);
        expect(saved).toMatchObject({ bytes: content.length });
        const beats: number[] = [];
        const options = { isSavable: true, from: saved, beat: () => void beats.push(writer?.bytes ?? 0) };
        let writer: StagedWriter | undefined;
        writer = storage.stage(destination, someAttempt(job), "part-00000.tsv", undefined, options);
        expect(writer.bytes).toBe(content.length);
        expect(beats).toHaveLength(content === "" ? 0 : 1);
        writer.write(Buffer.from("it"));
        // A third may go on from the second: what that has saved is all of it.
        expect(writer.save()).toMatchObject({
          bytes: content.length + 2,
          sha256: createHash("sha256").update(`${content}it`).digest("hex"),
        });
        const file = { output: "main", name: "part-00000.tsv", records: 1, ...(await writer.finish()) };
        const whole = await stageFile(storage, destination, job, "part-00000.tsv", `${content}it`);
        expect(file).toMatchObject({ bytes: whole.bytes, sha256: whole.sha256 });
        expect(await storage.findLost(destination, job, [file])).toEqual([]);
        if (content === "") continue;
        const decision = { job, destination, files: [file], replaces: undefined, manifest: manifestFor(job, [file]) };
        await storage.publish(decision);
        expect(await under.published(destination)).toEqual(contentsOf(decision, { "part-00000.tsv": "half of it" }));
      }
      await storage.discard(destination, job);
      expect(await under.leftovers(destination)).toEqual([]);
    });

    test.each([
      ["is gone", (path: string) => rmSync(path), /can't be read/],
      ["is shorter", (path: string) => truncateSync(path, 3), /about 5 bytes, but it has 3/],
      ["is empty", (path: string) => truncateSync(path, 0), /about 5 bytes, but it has 0/],
      ["is altered, at the same length", (path: string) => writeFileSync(path, "sAved"), /checksum is another one/],
      ["is no file", toFolder, /something else than a file/],
    ])("a staged file that was saved and %s is not gone on with, and nothing is left open", async (_, damage, why) => {
      const destination = under.destination("out");
      const job = someJob();
      const { saved, path } = savedOf(destination, job, "part-00000.tsv", "saved");
      damage(path);
      const open = openFiles();
      expect(() => storage.stage(destination, someAttempt(job), "part-00000.tsv", undefined, { from: saved })).toThrow(
        expect.objectContaining({ code: "corrupt-output", message: expect.stringMatching(why) }),
      );
      expect(openFiles()).toBe(open);
      await storage.discard(destination, job);
    });

    test("what was saved is of one output: a token that names another file, or a place elsewhere, is refused", async () => {
      const destination = under.destination("out");
      const job = someJob();
      const attempt = someAttempt(job);
      const { saved } = savedOf(destination, job, "part-00000.tsv", "saved");
      if (saved.file === undefined) {
        for (const token of ["", "../../x", "../files/a.part-00001.tsv", saved.token])
          expect(() =>
            storage.stage(destination, attempt, "part-00001.tsv", undefined, { from: { ...saved, token } }),
          ).toThrow(/names no file/);
      } else {
        expect(() =>
          storage.stage(destination, attempt, "part-00001.tsv", undefined, { from: { ...saved, file: undefined } }),
        ).toThrow(/names no file/);
      }
      await storage.discard(destination, job);
    });

    test("fault 67: names and tokens that lead out of the output are refused", async () => {
      const destination = under.destination("out");
      expect(() => storage.stage(destination, someAttempt(someJob()), "../escaped")).toThrow(/not the name of a file/);
      const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "x" });
      for (const change of [
        { name: "../escaped" },
        { name: "/escaped" },
        { name: "a/../../b" },
        { name: "_SUCCESS" },
        { token: "../../x" },
      ]) {
        const files = [{ ...decision.files[0]!, ...change }];
        await expect(storage.publish({ ...decision, files })).rejects.toMatchObject({ code: "corrupt-output" });
      }
      expect(await under.published(destination)).toBeUndefined();
    });

    // ── staged files that get lost ───────────────────────────────────────────

    const several = { "part-00000.tsv": "a\n", "part-00001.tsv": "b\n", "rejects/part-00002.txt": "c\n" };
    /** The files of a decision whose second file was made by another attempt. */
    const decidedAgain = async (first: CommitDecision, kept: readonly (StagedFile | undefined)[]) => {
      const { destination, job } = first;
      const files: StagedFile[] = [];
      for (const [index, file] of first.files.entries())
        files.push(kept[index] ?? (await stageFile(storage, destination, job, file.name, "B\n")));
      return { ...first, files, manifest: manifestFor(job, files) };
    };

    test("staged files that are there are found, and looking changes nothing", async () => {
      const destination = under.destination("out");
      const decision = await stagedDecision(storage, destination, several);
      for (let i = 0; i < 2; i++) expect(await storage.findLost(destination, decision.job, decision.files)).toEqual([]);
      expect(await storage.findLost(destination, decision.job, [])).toEqual([]);
      await storage.publish(decision);
      expect(await under.published(destination)).toEqual(contentsOf(decision, several));
    });

    test("A.6: a staged file that is gone, and one of another size, are lost, by token", async () => {
      const destination = under.destination("out");
      const decision = await stagedDecision(storage, destination, several);
      const [first, second] = decision.files;
      await under.lose(destination, first!);
      await under.cut?.(destination, second!);
      const lost = await storage.findLost(destination, decision.job, decision.files);
      expect(lost.map(({ token }) => token).sort()).toEqual(
        [first!, ...(under.cut === undefined ? [] : [second!])].map(({ token }) => token).sort(),
      );
      for (const { why } of lost) expect(why).toMatch(/missing|gone|bytes|part/);
    });

    test("a decision whose files are all there is not withdrawn, and is published still", async () => {
      const destination = under.destination("out");
      const decision = await stagedDecision(storage, destination, several);
      expect(await storage.withdraw(decision)).toEqual({ kind: "whole" });
      await storage.publish(decision);
      expect(await storage.withdraw(decision)).toEqual({ kind: "whole" });
      expect(await under.published(destination)).toEqual(contentsOf(decision, several));
    });

    test("A.6: a decision with a lost file is withdrawn, what is left of it is decided again, and only that appears", async () => {
      const destination = under.destination("out");
      const first = await stagedDecision(storage, destination, several);
      await under.lose(destination, first.files[1]!);
      await expect(storage.publish(first)).rejects.toMatchObject({ code: "corrupt-output" });
      const withdrawal = await storage.withdraw(first);
      if (withdrawal.kind !== "withdrawn") throw new Error("nothing was withdrawn");
      expect(withdrawal.files.map((file) => file?.name)).toEqual([
        "part-00000.tsv",
        undefined,
        "rejects/part-00002.txt",
      ]);
      // Again, and late: the same.
      expect(await storage.withdraw(first)).toEqual(withdrawal);
      const second = await decidedAgain(first, withdrawal.files);
      expect(await storage.findLost(destination, second.job, second.files)).toEqual([]);
      expect(await storage.withdraw(first)).toEqual(withdrawal);
      // A publisher of the first that goes on now finds nothing.
      await expect(storage.publish(first)).rejects.toMatchObject({ code: "corrupt-output" });
      await storage.publish(second);
      const contents = { ...several, "part-00001.tsv": "B\n" };
      expect(await under.published(destination)).toEqual(contentsOf(second, contents));
      await expect(storage.publish(first)).rejects.toThrow();
      await storage.discard(destination, second.job);
      expect(await under.published(destination)).toEqual(contentsOf(second, contents));
      expect(await under.leftovers(destination)).toEqual([]);
    });

    test("A.6: two decisions, one after the other, can be withdrawn; a job that ends then leaves nothing", async () => {
      const destination = under.destination("out");
      const first = await stagedDecision(storage, destination, several);
      await under.lose(destination, first.files[1]!);
      const before = await storage.withdraw(first);
      if (before.kind !== "withdrawn") throw new Error("nothing was withdrawn");
      const second = await decidedAgain(first, before.files);
      await under.lose(destination, second.files[0]!);
      const withdrawal = await storage.withdraw(second);
      if (withdrawal.kind !== "withdrawn") throw new Error("nothing was withdrawn");
      expect(withdrawal.files.map((file) => file?.name)).toEqual([
        undefined,
        "part-00001.tsv",
        "rejects/part-00002.txt",
      ]);
      await storage.discard(destination, first.job);
      expect(await under.leftovers(destination)).toEqual([]);
      expect(await under.published(destination)).toBeUndefined();
      const next = await stagedDecision(storage, destination, several);
      await storage.publish(next);
      expect(await under.published(destination)).toEqual(contentsOf(next, several));
    });

    test("A.6: with --overwrite, the old output is there until the second decision is published", async () => {
      const destination = under.destination("out");
      const old = await stagedDecision(storage, destination, { "part-00000.tsv": "old" });
      await storage.publish(old);
      await storage.discard(destination, old.job);
      const { replaces } = await storage.prepare(destination, true);
      const first = await stagedDecision(storage, destination, several, replaces);
      await under.lose(destination, first.files[1]!);
      const withdrawal = await storage.withdraw(first);
      if (withdrawal.kind !== "withdrawn") throw new Error("nothing was withdrawn");
      expect(await under.published(destination)).toEqual(contentsOf(old, { "part-00000.tsv": "old" }));
      const second = await decidedAgain(first, withdrawal.files);
      await storage.publish(second);
      await storage.discard(destination, second.job);
      expect(await under.published(destination)).toEqual(contentsOf(second, { ...several, "part-00001.tsv": "B\n" }));
      expect(await under.leftovers(destination)).toEqual([]);
    });

    test("an output directory is read by its manifest: its main output, and all of it", async () => {
      const destination = under.destination("out");
      const contents = { "part-00000.tsv": "a", "part-00001.tsv": "bb", "rejects/part-m-00000.txt": "c" };
      await storage.publish(await stagedDecision(storage, destination, contents));
      expect((await storage.list(destination)).map((file) => file.path)).toEqual([
        `${destination}/part-00000.tsv`,
        `${destination}/part-00001.tsv`,
      ]);
    });

    test("a destination below directories that don't exist yet is published", async () => {
      const destination = `${under.destination("new")}/deep/out`;
      await storage.prepare(destination, false);
      const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "x" });
      await storage.publish(decision);
      expect(await under.published(destination)).toEqual(contentsOf(decision, { "part-00000.tsv": "x" }));
    });
  });
}
