import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { slotConformance } from "../../../test/conformance/slot.ts";
import { someSpec } from "../../../test/support/fake-master.ts";
import { MiB } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import { bundleJob } from "../../job/load/bundle.ts";
import { planBudget } from "./budget.ts";
import { Slot } from "./slot.ts";

/** As built: tests run the sources. */
const program = fileURLToPath(new URL("../../../dist/slot.cjs", import.meta.url));
const job = fileURLToPath(new URL("../../../test/process/jobs/faults.ts", import.meta.url));

slotConformance("a process", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-slot-"));
  const [slots, logs, pages, directory, disk] = ["slots", "logs", "pages", "slots/own", "disk"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string, string];
  for (const path of [slots, logs, pages, directory, disk]) mkdirSync(path);
  writeFileSync(join(folder, "in.txt"), "one two\ntwo TRIGGER\nthree\n");
  const { code } = await bundleJob(job);
  const path = join(folder, "bundle.mjs");
  writeFileSync(path, code);
  const slot = new Slot({
    name: "slot-1",
    program,
    budget: planBudget({ slots: 1, memoryBytes: 128 * MiB }),
    directories: { slots, logs, pages },
    clock: systemClock,
  });
  let attempts = 0;
  return {
    slot,
    bundle: { path, digest: createHash("sha256").update(code).digest("hex"), environment: {} },
    request: (work, params = "{}", paramsValue = undefined) => ({
      assignment: {
        attempt: { job: "j", phase: work.phase, index: 0, epoch: 1, attempt: ++attempts },
        spec: {
          ...someSpec,
          inputs: [{ name: "", paths: [join(folder, "in.txt")] }],
          directory: folder,
          output: join(folder, "out"),
          partitions: 1,
          environment: {},
          params,
          paramsValue,
        },
        careful: false,
        work,
      },
      directory,
      memoryDirectory: undefined,
      memoryBytesMax: 0,
      diskDirectory: disk,
      inputs: [],
      remote: [],
      access: undefined,
    }),
    async close() {
      slot.kill({ kind: "stopped" });
      await slot.ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
