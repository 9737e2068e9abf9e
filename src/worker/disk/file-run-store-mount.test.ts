// A disk that turns read-only, as one does after an error. Needs the right to mount; skipped where there is none.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { someAttempt, someJob } from "../../../test/conformance/storage.ts";
import { canMount } from "../../../test/faults/support.ts";
import { FileRunStore } from "./file-run-store.ts";

describe.skipIf(!canMount() && process.env["CI"] !== "true")(
  "a disk that turns read-only (needs the right to mount)",
  () => {
    let disk: string;
    beforeEach(() => {
      disk = mkdtempSync(join(tmpdir(), "millrace-read-only-"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
    });
    afterEach(() => {
      spawnSync("umount", ["-l", disk]);
      rmSync(disk, { recursive: true, force: true });
    });
    const turn = (how: "ro" | "rw") => execFileSync("mount", ["-o", `remount,${how}`, disk]);

    test("fails the attempts that begin on it, ends none of a worker's bookkeeping, and is of use again afterwards", () => {
      const slots = join(disk, "slots");
      const runs = join(disk, "runs");
      const store = new FileRunStore({
        memory: undefined,
        disk: runs,
        checkpoints: { memory: undefined, disk: runs },
        slots,
        tierBytes: 0,
        slotsMax: 1,
      });
      const attempt = someAttempt(someJob());
      const places = store.begin(attempt, "slot-1");
      writeFileSync(join(places.directory, "left"), "x");
      writeFileSync(join(runs, attempt.job, "map-00000.1.1.run"), "x");
      turn("ro");
      store.clear("slot-1");
      store.end(attempt, { isFailed: true, kept: undefined });
      store.discard(attempt.job);
      expect(existsSync(join(places.directory, "left"))).toBe(true); // the fault was there
      for (const slot of ["slot-1", "slot-2"]) {
        expect(() => store.begin({ ...attempt, attempt: 2 }, slot)).toThrow(
          expect.objectContaining({ code: "io-error", retry: "elsewhere", message: expect.stringContaining("EROFS") }),
        );
      }
      turn("rw");
      expect(store.begin({ ...attempt, attempt: 3 }, "slot-1").directory).toBe(places.directory);
      expect(existsSync(join(places.directory, "left"))).toBe(false);
    });
  },
);
