import { describe, expect, it } from "vitest";
import { settled } from "../../../test/support/fake-clock.ts";
import { MillraceError } from "../../base/error.ts";
import type { JobState, JobView } from "../../protocol/view.ts";
import { Feed } from "./feed.ts";

const view = (state: JobState) => ({ job: "j", state }) as JobView;

/** Over a watch that does these, one after the other. */
function feedOver(steps: readonly (JobState | Error | "hang")[], first: JobState = "planning") {
  return new Feed({
    master: {
      async *watch(_, signal) {
        for (const step of steps) {
          if (step instanceof Error) throw step;
          // Like the client's: a watcher that leaves is told nothing.
          if (step === "hang") await new Promise((resolve) => signal?.addEventListener("abort", resolve));
          else yield view(step);
        }
      },
    },
    job: "j",
    first: view(first),
    later: "millrace status j --watch",
  });
}

async function statesOf(feed: Feed): Promise<JobState[]> {
  const states: JobState[] = [];
  for await (const { state } of feed.watch()) states.push(state);
  return states;
}

describe("a job's views from a master", () => {
  it("are shown from the first one to the last, to each who watches", async () => {
    const feed = feedOver(["mapping", "reducing", "succeeded"]);
    const [one, other] = await Promise.all([statesOf(feed), statesOf(feed)]);
    expect([one[0], one.at(-1)]).toEqual(["planning", "succeeded"]);
    expect(other).toEqual(one);
    expect((await feed.ended).state).toBe("succeeded");
  });

  it("of a job that has ended are one, and nobody is asked", async () => {
    const feed = feedOver([new Error("nobody should ask")], "failed");
    expect(await statesOf(feed)).toEqual(["failed"]);
    expect((await feed.ended).state).toBe("failed");
  });

  it("end with what to do later when the master stays away", async () => {
    const away = new MillraceError(
      "unreachable",
      "can't reach the master at http://m1:7070: refused (tried for 120 s)",
    );
    const feed = feedOver(["mapping", away]);
    const watching = statesOf(feed).catch((error: unknown) => error);
    await expect(feed.ended).rejects.toMatchObject({
      code: "unreachable",
      message:
        "can't reach the master at http://m1:7070: refused (tried for 120 s). The job is not lost: when the master is back, look at it with  millrace status j --watch",
    });
    expect(await watching).toMatchObject({ code: "unreachable" });
  });

  it("end at once with what the master refuses, in its words", async () => {
    const refused = new MillraceError("no-access", "the token is not one of this cluster's");
    await expect(feedOver(["mapping", refused]).ended).rejects.toBe(refused);
  });

  it("are left by closing, which ends the call under way", async () => {
    const feed = feedOver(["mapping", "hang"]);
    await settled();
    feed.close();
    await expect(feed.ended).rejects.toMatchObject({ code: "cancelled" });
    expect(feed.latest.state).toBe("mapping");
  });

  it("leave out changes that come faster than they are taken", async () => {
    const feed = feedOver(["planning", "mapping", "reducing", "publishing", "succeeded"]);
    await feed.ended;
    expect(await statesOf(feed)).toEqual(["succeeded"]);
  });
});
