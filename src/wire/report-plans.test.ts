import { describe, expect, it } from "vitest";
import { done, failed, plan, report, text } from "../../test/schedule/build.ts";
import type { AttemptId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import { decodeReport, encodeReport } from "./convert.ts";
import { readReport } from "./report-plans.ts";
import { decodePlan, encodePlan } from "./stored/plans.ts";

const attempt = (index: number, phase: AttemptId["phase"] = "plan"): AttemptId => ({
  job: "j",
  phase,
  index,
  epoch: 1,
  attempt: index,
});
const assignmentOf = (id: AttemptId) => ({ attempt: id, work: { phase: "plan" } }) as Parameters<typeof done>[0];
const large = { ...plan(500, 7), boundaries: [Uint8Array.of(97), Uint8Array.of(98)] };

/** How it was read: what came, and how often others had their turn. */
async function read(bytes: Uint8Array, reportBytes = 1, portionBytes = 500) {
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  return { heard: await readReport(bytes, { reportBytes, portionBytes, pause }), pauses };
}

function encoded(change: Partial<WorkerReport>): Uint8Array {
  return encodeReport(report("w", 3, change));
}

describe("a report that holds plans", () => {
  const finished = [
    failed(attempt(1, "map"), { kind: "fatal", error: text("no") }),
    done(assignmentOf(attempt(0)), { plan: large }),
    done(assignmentOf(attempt(2)), { plan: plan(3, 1) }),
  ];

  it("is what it is when it is read at once, and others have their turn between the portions", async () => {
    const bytes = encoded({ finished });
    const { heard, pauses } = await read(bytes);
    expect(heard).toEqual(decodeReport(bytes));
    expect(pauses).toBeGreaterThan(10);
    const [, planned] = heard.finished;
    const read0 = planned?.ok === true ? planned.plan! : plan(0, 0);
    expect(encodePlan(read0).length).toBe(pauses - 1);
    expect(decodePlan(encodePlan(read0))).toEqual(large);
    expect((await read(bytes, 1e9)).pauses).toBe(0);
    expect((await read(encoded({ finished: finished.slice(0, 1) }))).pauses).toBe(0);
  });

  it("of which one can't be read is that attempt's failure; bytes that are no report are refused as ever", async () => {
    const bytes = Buffer.from(encoded({ finished }));
    const at = bytes.indexOf(large.files[0]!.version, bytes.length / 2);
    bytes[at] = 0xff; // no UTF-8
    const { heard } = await read(bytes);
    expect(heard.finished).toMatchObject([
      { ok: false, reason: { error: { message: "no" } } },
      { ok: false, reason: { kind: "fatal", error: { code: "bad-report" } } },
      { ok: true, plan: plan(3, 1) },
    ]);
    for (let cut = 1; cut < bytes.length; cut += 97) {
      const short = bytes.subarray(0, bytes.length - cut);
      let expected: unknown;
      try {
        expected = decodeReport(short);
      } catch (error) {
        expected = error;
      }
      const got = await read(short).then(
        ({ heard: value }) => value,
        (error: unknown) => error,
      );
      expect(got instanceof Error, String(cut)).toBe(expected instanceof Error);
    }
  });
});
