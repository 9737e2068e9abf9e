import fc from "fast-check";
import { expect, test } from "vitest";
import { GiB, MiB } from "../../base/limits.ts";
import { cgroupLimit, planBudget, tierShare } from "./budget.ts";

const machine = { cores: 4, memoryBytes: 16 * GiB };

test("by default a quarter of the memory is used, with one slot per core", () => {
  const budget = planBudget({ slots: undefined, memoryBytes: undefined }, machine);
  expect(budget).toMatchObject({ slots: 4, memoryBytes: 4 * GiB, arenaBytes: 256 * MiB, tierBytes: 3 * GiB });
});

test("less memory than 64 MiB a slot is refused, naming both numbers", () => {
  expect(() => planBudget({ slots: 2, memoryBytes: 100 * MiB }, machine)).toThrow(/100 MiB.*2 slots.*at least 128 MiB/);
  expect(planBudget({ slots: 2, memoryBytes: 128 * MiB }, machine).slots).toBe(2);
});

test("without a number of slots there are no more than the memory given suffices for", () => {
  expect(planBudget({ slots: undefined, memoryBytes: 150 * MiB }, machine).slots).toBe(2);
});

test("a small machine gets the least that works instead of an error", () => {
  const budget = planBudget({ slots: undefined, memoryBytes: undefined }, { cores: 2, memoryBytes: 128 * MiB });
  expect(budget).toMatchObject({ slots: 1, memoryBytes: 64 * MiB });
});

test("arenas and tier together are the memory, whatever is given", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 64 * MiB, max: 8 * GiB }), (slots, share) => {
      const budget = planBudget({ slots, memoryBytes: slots * share }, machine);
      expect(budget.slots * budget.arenaBytes + budget.tierBytes).toBe(slots * share);
      expect(budget.arenaBytes % 65536).toBe(0);
      expect(budget.tierBytes).toBeGreaterThanOrEqual(budget.slots * budget.arenaBytes);
    }),
  );
});

test("shares of the tier never add up to more than the tier", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: GiB }), fc.integer({ min: 1, max: 32 }), fc.nat(GiB), (tier, slots, held) => {
      let granted = 0;
      for (let idle = slots; idle > 0; idle--) granted += tierShare(tier, held, granted, idle);
      expect(granted + held).toBeLessThanOrEqual(Math.max(tier, held));
    }),
  );
});

test("the smallest limit on the way up is the cgroup's, version 2", () => {
  const files: Record<string, string> = {
    "/proc/self/cgroup": "0::/user.slice/job\n",
    "/sys/fs/cgroup/user.slice/job/memory.max": "max\n",
    "/sys/fs/cgroup/user.slice/memory.max": "536870912\n",
  };
  expect(cgroupLimit((path) => files[path])).toBe(512 * MiB);
});

test("version 1 says no limit by a huge number, and in a container its own root holds the limit", () => {
  const files: Record<string, string> = {
    "/proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/docker/abc\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
  };
  expect(cgroupLimit((path) => files[path])).toBe(GiB);
  files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n";
  expect(cgroupLimit((path) => files[path])).toBe(Number.POSITIVE_INFINITY);
  expect(cgroupLimit(() => undefined)).toBe(Number.POSITIVE_INFINITY);
});
