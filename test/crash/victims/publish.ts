// Stages the files of a job, decides, publishes and discards, and goes on where an earlier life of it was cut off: as a
// master does, with a file instead of a state store. Arguments: the folder, "overwrite" or "new".
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../../../src/storage/local/durable.ts";
import { nodeLocalFs } from "../../../src/storage/local/fs.ts";
import { createLocalStorage } from "../../../src/storage/local/local.ts";
import type { CommitDecision, StagedFile } from "../../../src/storage/storage.ts";
import { newContents, publishedJob } from "../publish-contents.ts";
import { acknowledge, victim } from "./acknowledge.ts";

const [, , folder, kind] = process.argv as unknown as [string, string, string, string];
let names = 0;
// The same names in each run: the harness interrupts calls by their paths.
const storage = createLocalStorage({ uniqueName: () => `unique-${names++}` });
const destination = join(folder, "out");
/** What a state store would hold; not in the folder, as it is not what is looked at. */
const decided = join(folder, "../decided.json");

await victim(async () => {
  if (!existsSync(decided)) {
    const { replaces } = await storage.prepare(destination, kind === "overwrite");
    const files: StagedFile[] = [];
    for (const [index, [name, content]] of Object.entries(newContents).entries()) {
      const attempt = { job: publishedJob, phase: "reduce", index, epoch: 1, attempt: 1 } as const;
      const writer = storage.stage(destination, attempt, name);
      writer.write(Buffer.from(content));
      files.push({ name, output: "", records: 1, ...(await writer.finish()) });
    }
    const lost = await storage.findLost(destination, publishedJob, files);
    if (lost.length > 0) throw new Error(`lost: ${JSON.stringify(lost)}`);
    const decision = { job: publishedJob, destination, files, replaces, manifest: "the manifest\n" };
    await writeDurably(nodeLocalFs, `${decided}.new`, Buffer.from(JSON.stringify(decision)));
    renameSync(`${decided}.new`, decided);
    acknowledge("decided");
  }
  const { manifest, ...rest } = JSON.parse(readFileSync(decided, "utf8")) as Omit<CommitDecision, "manifest"> & {
    readonly manifest: string;
  };
  await storage.publish({ ...rest, manifest: Buffer.from(manifest) });
  acknowledge("published");
  await storage.discard(destination, publishedJob);
  acknowledge("discarded");
});
