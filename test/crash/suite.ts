// A bounded part of `npm run crash` as tests: processes that are killed at system calls, killed again while they
// recover, and given errors of the disk. What they had acknowledged is there, and they go on.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleVictims, type Victims } from "./bundle.ts";
import { explore } from "./explore.ts";
import type { Scene } from "./scene.ts";
import { canTrace } from "./strace.ts";

/** Which part of the calls: the sources decide, so that commits try others. */
const seed = Math.abs(Number(process.env["MILLRACE_PROPERTIES"])) || 0;

/** `stride`: how many system calls lie between two that are interrupted. A test should take some 10 s. */
export function crashTests(scenes: readonly { readonly scene: Scene; readonly stride: number }[]): void {
  describe.skipIf(!canTrace && process.env["CI"] !== "true")(
    "a process that is killed at a system call (needs strace)",
    () => {
      let victims: Victims | undefined;
      beforeAll(async () => {
        const root = fileURLToPath(new URL("../..", import.meta.url));
        victims = await bundleVictims(root, [...new Set(scenes.map(({ scene }) => scene.victim))]);
      });
      afterAll(() => victims?.remove());

      test.each(scenes.map(({ scene, stride }) => [scene.name, scene, stride] as const))(
        "I4: has what it acknowledged, goes on from any call, and names what the disk refuses: %s",
        async (_, scene, stride) => {
          const errors = Object.keys(scene.codes);
          const report = await explore(scene, { victims: victims!, stride, seed, errors, processes: 2 });
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
}
