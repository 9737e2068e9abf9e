// A publisher is paused, and the decision that it is publishing is withdrawn meanwhile.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { interposedFs, systemError } from "../../../test/conformance/faulty-fs.ts";
import { manifestFor, stagedDecision, stageFile } from "../../../test/conformance/storage.ts";
import type { CommitDecision, StagedFile } from "../storage.ts";
import { hiddenOfDecision } from "./hidden.ts";
import { createLocalStorage } from "./local.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "millrace-withdraw-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const plain = createLocalStorage();
const contents = { "part-00000.tsv": "a\n", "part-00001.tsv": "b\n", "part-00002.tsv": "c\n" };

/** Decides again as a retry does: lost files are made again, of the same size and with different bytes. */
async function decideAgain(first: CommitDecision): Promise<{ decision: CommitDecision; shown: object }> {
  const withdrawal = await plain.withdraw(first);
  if (withdrawal.kind !== "withdrawn") throw new Error("nothing was withdrawn");
  const files: StagedFile[] = [];
  for (const [index, { name }] of first.files.entries())
    files.push(withdrawal.files[index] ?? (await stageFile(plain, first.destination, first.job, name, "B\n")));
  const shown = first.files.map(({ name }, index) => [
    name,
    withdrawal.files[index] === undefined ? "B\n" : contents[name as keyof typeof contents],
  ]);
  return {
    decision: { ...first, files, manifest: manifestFor(first.job, files) },
    shown: Object.fromEntries(shown),
  };
}

const seen = (destination: string) =>
  Object.fromEntries(
    readdirSync(destination)
      .filter((name) => name.startsWith("part-"))
      .sort()
      .map((name) => [name, readFileSync(join(destination, name), "utf8")]),
  );

describe.each(["new", "mount point"])("at an output's place: %s", (kind) => {
  test("A.6: paused at any of its calls, it changes nothing of the second decision, and its own never appears", async () => {
    let paused = 0;
    for (let n = 0; n < 200; n++) {
      const destination = join(top, `out${n}`);
      if (kind === "mount point") mkdirSync(destination);
      const first = await stagedDecision(plain, destination, contents);
      const lost = first.files[1]!;
      let calls = 0;
      let second: Awaited<ReturnType<typeof decideAgain>> | undefined;
      const refuse = ({ name, args }: { readonly name: string; readonly args: readonly unknown[] }) => {
        if (kind === "mount point" && name === "rename" && args[1] === destination) throw systemError("EXDEV");
      };
      const pausing = createLocalStorage({
        fs: interposedFs(async (call) => {
          if (calls++ === n) {
            // Wherever it is by now, the file is removed, and the job goes on without this publisher.
            const places = hiddenOfDecision(first);
            for (const folder of [places.files, places.publish, destination])
              for (const name of [lost.token, lost.name]) rmSync(join(folder, name), { force: true });
            if (!existsSync(join(destination, "_SUCCESS"))) second = await decideAgain(first);
          }
          refuse(call);
        }),
      });
      await pausing.publish(first).catch(() => {});
      if (calls <= n) break;
      if (second === undefined) continue;
      paused++;
      await createLocalStorage({ fs: interposedFs(refuse) }).publish(second.decision);
      await pausing.publish(first).catch(() => {});
      expect(second.shown).toMatchObject({ "part-00001.tsv": "B\n" });
      expect({ n, ...seen(destination) }).toEqual({ n, ...second.shown });
      expect(readFileSync(join(destination, "_SUCCESS"))).toEqual(Buffer.from(second.decision.manifest));
      await plain.discard(destination, first.job);
    }
    expect(paused).toBeGreaterThan(10);
  });
});
