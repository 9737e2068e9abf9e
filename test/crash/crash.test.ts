// A bounded part of `npm run crash`: processes that are killed at system calls, killed again while they recover, and
// given errors of the disk. What they had acknowledged is there, and they go on.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleVictims, type Victims } from "./bundle.ts";
import { explore } from "./explore.ts";
import { scenes } from "./scenes.ts";
import { canTrace } from "./strace.ts";

/** How many system calls lie between two that are interrupted, so that a scene takes some 10 s; `--all` takes all. */
const strides: Readonly<Record<string, number>> = { "publish, new": 12, "publish, overwrite": 16, state: 61 };
/** A part of the calls that a commit decides; the sources decide which, so that commits try others. */
const seed = Number.parseInt((process.env["MILLRACE_PROPERTIES"] ?? "").replace(/\D/g, ""), 10) || 0;

describe.skipIf(!canTrace && process.env["CI"] !== "true")(
  "a process that is killed at a system call (needs strace)",
  () => {
    let victims: Victims;
    beforeAll(async () => {
      const root = fileURLToPath(new URL("../..", import.meta.url));
      victims = await bundleVictims(root, [...new Set(scenes.map(({ victim }) => victim))]);
    });
    afterAll(() => victims?.remove());

    test.each(scenes.map((scene) => [scene.name, scene] as const))(
      "I4: has what it acknowledged, goes on from any call, and names what the disk refuses: %s",
      async (name, scene) => {
        const report = await explore(scene, {
          victims,
          stride: strides[name]!,
          seed,
          errors: Object.keys(scene.codes),
          processes: 2,
        });
        expect(report.found).toEqual([]);
        expect(report.kills).toBeGreaterThan(2);
        expect(report.recoveriesKilled).toBeGreaterThan(0);
        expect(report.failures).toBeGreaterThan(2);
        expect(Object.values(report.codes).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
      },
      180_000,
    );
  },
);
