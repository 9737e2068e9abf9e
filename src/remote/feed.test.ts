import { describe, expect, it } from "vitest";
import { FakeClock, settled } from "../../test/support/fake-clock.ts";
import { MillraceError } from "../base/error.ts";
import type { JobState, JobView } from "../schedule/step.ts";
import { Feed, type FeedOptions } from "./feed.ts";

/** What one call of `watch` does: views, then an end, or an error. */
type Call = readonly (JobState | Error | "hang")[];

const view = (state: JobState) => ({ job: "j", state }) as JobView;
const away = () => new MillraceError("unreachable", "connection refused");

function feedOver(calls: Call[], options: Partial<FeedOptions> = {}) {
  const clock = new FakeClock();
  const told: string[] = [];
  let watched = 0;
  const feed = new Feed({
    master: {
      async *watch(_, signal) {
        watched++;
        for (const step of calls.shift() ?? []) {
          if (step instanceof Error) throw step;
          if (step === "hang") await new Promise((resolve) => signal?.addEventListener("abort", resolve));
          else yield view(step);
        }
      },
    },
    job: "j",
    first: view("planning"),
    clock,
    random: () => 0.999,
    later: "millrace status j --watch",
    onConnection: (state, why) => told.push(why === "" ? state : `${state}: ${why}`),
    ...options,
  });
  return { feed, clock, told, calls: () => watched };
}

async function statesOf(feed: Feed): Promise<JobState[]> {
  const states: JobState[] = [];
  for await (const { state } of feed.watch()) states.push(state);
  return states;
}

describe("a job's views from a master", () => {
  it("are shown from the first one to the last", async () => {
    const { feed, told } = feedOver([["mapping", "reducing", "succeeded"]]);
    const states = await statesOf(feed);
    expect([states[0], states.at(-1)]).toEqual(["planning", "succeeded"]);
    expect((await feed.ended).state).toBe("succeeded");
    expect(told).toEqual([]);
  });

  it("go on when the master is back, which is told once each way", async () => {
    const { feed, clock, told, calls } = feedOver([["mapping", away()], [away()], [away()], ["reducing", "succeeded"]]);
    const states = statesOf(feed);
    await clock.pass(10_000);
    expect((await states).at(-1)).toBe("succeeded");
    expect(told).toEqual(["lost: connection refused", "back"]);
    expect(calls()).toBe(4);
  });

  it("are asked for again also when the call ends before the job has", async () => {
    const { feed, clock, told } = feedOver([["mapping"], ["succeeded"]]);
    await clock.pass(1_000);
    expect((await feed.ended).state).toBe("succeeded");
    expect(told).toEqual(["lost: it ended the connection", "back"]);
  });

  it("end with what to do later when the master stays away, and the pauses grow to five seconds", async () => {
    const { feed, clock, told, calls } = feedOver(
      Array.from({ length: 99 }, () => [away()]),
      { patienceMs: 60_000 },
    );
    const ended = feed.ended.catch((error: unknown) => error);
    const watching = statesOf(feed).catch((error: unknown) => error);
    await clock.pass(90_000);
    const error = (await ended) as MillraceError;
    expect(error.code).toBe("unreachable");
    expect(error.message).toBe(
      "the master has not answered for 60 s (connection refused). The job is not lost: when the master is back, look at it with  millrace status j --watch",
    );
    expect(await watching).toBe(error);
    expect(told).toHaveLength(1);
    expect(calls()).toBeGreaterThan(12);
    expect(calls()).toBeLessThan(20);
  });

  it("end at once with what the master refuses", async () => {
    const refused = new MillraceError("no-access", "the token is not one of this master's");
    const { feed, told } = feedOver([["mapping", refused]]);
    await expect(feed.ended).rejects.toBe(refused);
    expect(told).toEqual([]);
  });

  it("are left by closing, which ends the call under way", async () => {
    const { feed } = feedOver([["mapping", "hang"]]);
    await settled();
    feed.close();
    await expect(feed.ended).rejects.toMatchObject({ code: "cancelled" });
    expect(feed.latest.state).toBe("mapping");
  });

  it("leave out changes that come faster than they are taken", async () => {
    const { feed } = feedOver([["planning", "mapping", "reducing", "publishing", "succeeded"]]);
    await feed.ended;
    expect(await statesOf(feed)).toEqual(["succeeded"]);
  });
});
