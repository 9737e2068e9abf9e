// A place where attempts run, as the agent sees it (worker/slots/task-slot.ts).
//
// The agent loads a bundle once, before anything else, and asks one thing at a time; `settle`, `stop`, `kill` and
// `page` may come at any time and be repeated. `run` never rejects: whatever becomes of the slot is a result of the
// attempt, and names it. Once `kill` was called `isAlive` is false, though the end may take a while; `ended` then
// resolves with why, all that waits is answered, and what is asked later fails.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Plan } from "../../src/input/plan.ts";
import type { Assignment, AttemptResult } from "../../src/protocol/messages.ts";
import type { RunAttempt } from "../../src/slot/messages.ts";
import type { Bundle, TaskSlot } from "../../src/worker/slots/task-slot.ts";

export interface SlotUnderTest {
  readonly slot: TaskSlot;
  /** A job that reads some text and counts its words; with the parameter `fault` "loop" a map of it never ends. */
  readonly bundle: Bundle;
  /** What the agent would send: an attempt of its own, in directories that are there. */
  request(work: Assignment["work"], params?: string, paramsValue?: Uint8Array): RunAttempt;
  close(): Promise<void> | void;
}

/** What every `TaskSlot` promises. `open` starts one. */
export function slotConformance(name: string, open: () => Promise<SlotUnderTest>): void {
  describe(`${name}: a slot`, () => {
    let opened: SlotUnderTest;
    let slot: TaskSlot;
    beforeEach(async () => {
      opened = await open();
      slot = opened.slot;
    });
    afterEach(() => opened.close());

    const planned = async (): Promise<{ readonly result: AttemptResult; readonly plan: Plan }> => {
      await slot.load(opened.bundle);
      const result = await slot.run(opened.request({ phase: "plan" }));
      if (!result.ok || result.plan === undefined) throw new Error(JSON.stringify(result));
      return { result, plan: result.plan };
    };
    const mapOf = ({ splits, files, partitions, boundaries }: Plan): Assignment["work"] => ({
      phase: "map",
      split: splits[0]!,
      files: { ...files },
      partitions,
      boundaries,
      skip: [],
      skipBad: 0,
    });
    const mapRequest = async (plan: Plan, params = "{}") =>
      opened.request(mapOf(plan), params, await slot.validate(params));
    /** A map that never ends, once it has said so. */
    const busy = async (): Promise<{ readonly request: RunAttempt; readonly result: Promise<AttemptResult> }> => {
      const { plan } = await planned();
      const request = await mapRequest(plan, '{"fault":"loop"}');
      const result = slot.run(request);
      const { attempt } = request.assignment.attempt;
      while (slot.page()?.attempt !== attempt) await new Promise((resolve) => setTimeout(resolve, 10));
      return { request, result };
    };

    it("loads a bundle and says which; before that it has none, and nothing to say of an attempt", async () => {
      expect(slot.bundle).toBeUndefined();
      expect(slot.page()).toBeUndefined();
      expect(slot.isAlive).toBe(true);
      await slot.load(opened.bundle);
      expect(slot.bundle).toEqual(opened.bundle);
      expect((await slot.describe()).name).toBe("faults");
    });

    it("runs one attempt after the other, and each result names its attempt", async () => {
      const { plan, result } = await planned();
      expect(result).toMatchObject({ ok: true });
      for (let tries = 0; tries < 2; tries++) {
        const request = await mapRequest(plan);
        const done = await slot.run(request);
        expect(done.ok ? undefined : done.reason).toBeUndefined();
        expect(done.attempt).toEqual(request.assignment.attempt);
        expect(done.ok && done.run?.writtenBy).toEqual(request.assignment.attempt);
        expect(slot.page()).toMatchObject({ attempt: request.assignment.attempt.attempt });
      }
      expect(slot.isAlive).toBe(true);
    });

    it("a bundle of another digest is not loaded", async () => {
      await expect(slot.load({ ...opened.bundle, digest: "0".repeat(64) })).rejects.toThrow();
    });

    it("has settled when nothing of the job goes on in it, for all who ask", async () => {
      await planned();
      await Promise.all([slot.settle(), slot.settle(), slot.settle()]);
      expect(slot.isAlive).toBe(true);
    });

    it("a stop or a look while it is idle changes nothing", async () => {
      const { plan } = await planned();
      slot.stop("nothing to stop");
      slot.page();
      expect(await slot.run(await mapRequest(plan))).toMatchObject({ ok: true });
    });

    it("killed while it is busy it gives the attempt a result, says why it has ended, and all that waits is answered", async () => {
      const { request, result } = await busy();
      const settled = slot.settle();
      slot.kill({ kind: "stopped" });
      expect(slot.isAlive).toBe(false);
      slot.kill({ kind: "memory", bytes: 1 });
      expect(await result).toMatchObject({
        ok: false,
        attempt: request.assignment.attempt,
        reason: { kind: "slot-died" },
      });
      expect((await slot.ended).message).not.toBe("");
      await settled;
      await slot.settle();
      slot.stop("too late");
      slot.kill({ kind: "stopped" });
    });

    it("what is asked of it once it has ended fails, and an attempt is not to blame", async () => {
      const { plan } = await planned();
      slot.kill({ kind: "stopped" });
      await slot.ended;
      const request = opened.request(mapOf(plan));
      expect(await slot.run(request)).toMatchObject({
        ok: false,
        attempt: request.assignment.attempt,
        reason: { kind: "infrastructure" },
      });
      await expect(slot.describe()).rejects.toMatchObject({ retry: "elsewhere" });
    });
  });
}
