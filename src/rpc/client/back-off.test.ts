import fc from "fast-check";
import { expect, it } from "vitest";
import { MillraceError } from "../../base/error.ts";
import { seededRandom } from "../../base/system/random.ts";
import { checkHello, ourVersions } from "../../protocol/versions.ts";
import { backOffMs } from "./back-off.ts";

it("a pause is never longer than its bound, and never nothing", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const ms = backOffMs(failures, () => random, { firstMs: 200, mostMs: 10_000 });
        expect(ms).toBeGreaterThanOrEqual(20);
        expect(ms).toBeLessThanOrEqual(Math.min(10_000, 200 * 2 ** (failures - 1)));
      },
    ),
  );
});

it("fault 55: ten thousand workers that lose a master together come back spread out, all within 30 s", () => {
  // A master that is away for five seconds; each of them fails until then.
  const perSecond = new Map<number, number>();
  for (let worker = 0; worker < 10_000; worker++) {
    const random = seededRandom(worker, 1);
    let at = 0;
    for (let failures = 1; at < 5000; failures++) at += backOffMs(failures, random);
    perSecond.set(Math.floor(at / 1000), (perSecond.get(Math.floor(at / 1000)) ?? 0) + 1);
  }
  expect(Math.max(...perSecond.keys())).toBeLessThan(30);
  expect(Math.max(...perSecond.values())).toBeLessThan(5000);
});

it("fault 30: each version that differs is named with what to do, and equal ones pass", () => {
  const hello = { ...ourVersions, role: "worker" as const, worker: "w-1" };
  checkHello(hello);
  const message = (differs: Partial<typeof hello>) => {
    try {
      checkHello({ ...hello, ...differs });
    } catch (error) {
      expect(error).toBeInstanceOf(MillraceError);
      return (error as MillraceError).message;
    }
    throw new Error("accepted");
  };
  const [ours, other] = [ourVersions.protocol, ourVersions.protocol + 1];
  expect(message({ protocol: other, millrace: "9.9.9" })).toMatch(
    new RegExp(
      `worker w-1 has protocol ${other} \\(millrace 9\\.9\\.9\\), the master ${ours} \\(.*\\): install the same version`,
    ),
  );
  expect(message({ nodeMajor: 99 })).toMatch(/has Node 99, the master \d+: use the same major version of Node/);
  expect(message({ icu: "1" })).toMatch(/Unicode data \(ICU\) 1, the master/);
  expect(message({ role: "client" as never, worker: undefined as never, nodeMajor: 99 })).toMatch(
    /^this command has Node 99/,
  );
});
