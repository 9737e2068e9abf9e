import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type SlotUnderTest, slotConformance } from "../../../test/conformance/slot.ts";
import { someSpec } from "../../../test/support/fake-master.ts";
import { limits, MiB } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import { bundleJob } from "../../job/load/bundle.ts";
import { planBudget } from "./budget.ts";
import { Slot } from "./slot.ts";

/** As built: tests run the sources. */
const program = fileURLToPath(new URL("../../../dist/slot.cjs", import.meta.url));
const jobFile = (name: string) => fileURLToPath(new URL(`../../../test/process/jobs/${name}.ts`, import.meta.url));

async function openSlot(job: string): Promise<SlotUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-slot-"));
  const [slots, logs, pages, directory, disk] = ["slots", "logs", "pages", "slots/own", "disk"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string, string];
  for (const path of [slots, logs, pages, directory, disk]) mkdirSync(path);
  writeFileSync(join(folder, "in.txt"), "one two\ntwo TRIGGER\nthree\n");
  const { code } = await bundleJob(jobFile(job));
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
}

slotConformance("a process", () => openSlot("faults"));

it("attempts that come while it looks for what earlier ones have left are as any others", async () => {
  const { slot, bundle, request, close } = await openSlot("leaves-open");
  try {
    await slot.load(bundle);
    const planned = await slot.run(request({ phase: "plan" }));
    if (!planned.ok || planned.plan === undefined) throw new Error(JSON.stringify(planned));
    const { splits, files, partitions, boundaries } = planned.plan;
    const map = async (params: string) => {
      const work = { phase: "map", split: splits[0]!, files: { ...files }, partitions, boundaries } as const;
      const more = { skip: [], skipBad: 0 };
      return request({ ...work, ...more }, params, await slot.validate(params));
    };
    expect(await slot.run(await map("{}"))).toMatchObject({ ok: true, stats: { timersLeft: 1 } });
    const quick = await map("{}");
    const slow = await map(`{"ms":${limits.settleGraceMs * 5}}`);
    const settled = slot.settle();
    // It has begun to look, and waits for the interval a little longer.
    await systemClock.sleep(limits.settleGraceMs / 4);
    expect(await slot.run(quick)).toMatchObject({ ok: true });
    expect(await slot.run(slow)).toMatchObject({ ok: true });
    await settled;
    await slot.settle();
    expect(slot.isAlive).toBe(true);
  } finally {
    await close();
  }
});
