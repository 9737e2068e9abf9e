// What is on disk when something is said to be done: a loss of power right after that loses none of it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PowerLedger, systemError } from "../../../test/conformance/faulty-fs.ts";
import { manifestFor, someAttempt, someJob, stagedDecision, stageFile } from "../../../test/conformance/storage.ts";
import type { CommitDecision, Storage } from "../storage.ts";
import { hiddenOf, hiddenOfDecision } from "./hidden.ts";
import { createLocalStorage } from "./local.ts";

let top: string;
let ledger: PowerLedger;
let storage: Storage;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "millrace-power-"));
  ledger = new PowerLedger();
  storage = createLocalStorage({ fs: ledger.fs });
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const contents = { "part-00000.tsv": "a\n", "part-00001.tsv": "", "rejects/part-m-00000.txt": "bad\n" };
const look = ({ destination, job, files }: CommitDecision) => storage.findLost(destination, job, files);

test("an attempt that reports a staged file has its bytes on disk, with one sync for each file", async () => {
  const destination = join(top, "new/out");
  const job = someJob();
  const { files } = hiddenOf(destination, job);
  const writer = storage.stage(destination, someAttempt(job), "part-00000.tsv");
  writer.write(Buffer.from("half"));
  expect(ledger.lostBelow(files)).toContainEqual(expect.stringContaining("bytes of "));
  const staged = join(files, (await writer.finish()).token);
  // The file's own bytes and name; the folders around it are synced before the decision.
  expect(ledger.lostBelow(files).filter((lost) => lost.includes(`${files}/`))).toEqual([]);
  expect(ledger.fsyncs.filter((synced) => synced === staged)).toHaveLength(1);
});

test("what an attempt has saved of a staged file is on disk, and what it writes after that is not said to be", () => {
  const destination = join(top, "new/out");
  const job = someJob();
  const { files } = hiddenOf(destination, job);
  const writer = storage.stage(destination, someAttempt(job), "part-00000.tsv", undefined, { isSavable: true });
  for (const text of ["half", "whole"]) {
    writer.write(Buffer.from(text));
    const staged = join(files, writer.save().token);
    expect(ledger.lostBelow(files).filter((lost) => lost.includes(staged))).toEqual([]);
  }
  writer.write(Buffer.from("more"));
  expect(ledger.lostBelow(files)).toContainEqual(expect.stringContaining("bytes of "));
  writer.leave();
});

test("fault 64: when the files of a job were looked at, they, their folders and all folders above are on disk: it may be decided", async () => {
  const destination = join(top, "new/deep/out");
  const decision = await stagedDecision(storage, destination, contents);
  expect(await look(decision)).toEqual([]);
  const { files } = hiddenOfDecision(decision);
  for (const { token } of decision.files) expect(ledger.lostBelow(join(files, token))).toEqual([]);
});

describe.each(["new", "empty directory", "mount point"])("publishing to: %s", (kind) => {
  test("fault 64: nothing becomes visible that is not on disk, and when it is said to be published, it stays", async () => {
    const destination = join(top, "out");
    if (kind !== "new") mkdirSync(destination);
    const decision = await stagedDecision(storage, destination, contents);
    await look(decision);
    let shown = 0;
    ledger.onRename = (from, to) => {
      if (kind === "mount point" && to === destination) throw systemError("EXDEV", "cross-device link not permitted");
      if (to === join(destination, "_SUCCESS")) {
        expect(ledger.lostBelow(destination).filter((lost) => !lost.includes(".publishing"))).toEqual([]);
        expect(ledger.lostBelow(from).filter((lost) => lost.startsWith("bytes"))).toEqual([]);
      } else if (to === destination) {
        expect(ledger.lostBelow(from)).toEqual([]);
      } else return;
      shown++;
    };
    await storage.publish(decision);
    expect(shown).toBe(1);
    expect(ledger.lostBelow(destination)).toEqual([]);
  });
});

test("fault 64: what is saved of a withdrawn decision is on disk under its new names", async () => {
  const destination = join(top, "out");
  const decision = await stagedDecision(storage, destination, contents);
  await look(decision);
  rmSync(join(hiddenOfDecision(decision).files, decision.files[1]!.token));
  const withdrawal = await storage.withdraw(decision);
  if (withdrawal.kind !== "withdrawn") throw new Error("nothing was withdrawn");
  const { files } = hiddenOfDecision(decision);
  const saved = withdrawal.files.filter((file) => file !== undefined);
  expect(saved).toHaveLength(2);
  for (const { token } of saved) expect(ledger.lostBelow(join(files, token))).toEqual([]);
  const again = await stageFile(storage, destination, decision.job, "part-00001.tsv", "");
  const all = [...saved, again];
  const second = { ...decision, files: all, manifest: manifestFor(decision.job, all) };
  expect(await look(second)).toEqual([]);
  await storage.publish(second);
  expect(ledger.lostBelow(destination)).toEqual([]);
});
