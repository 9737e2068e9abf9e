// What a list of jobs says of each of them.
import type { JobView } from "../protocol/view.ts";

/** Length of a failure's message in an overview: a line or two. */
const overviewMessageLengthMax = 300;

/**
 * A job in a list of thousands: a job's view without what can take hundreds of kilobytes (texts of failures, counters,
 * running attempts). A message could not hold that a thousand times, and it would cost the master seconds.
 */
export function inOverview({ reason, ...view }: JobView): JobView {
  return {
    ...view,
    counters: {},
    running: [],
    failures: [],
    ...(reason !== undefined && {
      reason: {
        code: reason.code,
        message: reason.message.slice(0, overviewMessageLengthMax),
        stack: undefined,
        where: undefined,
        excerpt: undefined,
      },
    }),
  };
}
