// Ends a stream of messages that stops in the middle although its connection lives: a machine whose program or disk
// hangs still answers pings. It is for streams that always have a next item or an end, not for those that wait for
// news.

import { MillraceError } from "../../base/error.ts";
import type { Clock } from "../../base/system/clock.ts";

interface StreamSilence<T> {
  readonly clock: Clock;
  readonly silenceMs: number;
  /** Opens the stream, which ends with the signal. */
  readonly open: (signal: AbortSignal) => AsyncIterable<T>;
}

/** The stream's items. Throws `unreachable`, which may be tried again, when the next item does not come in time. */
export async function* untilSilent<T>(
  signal: AbortSignal,
  { clock, silenceMs, open }: StreamSilence<T>,
): AsyncIterable<T> {
  const silent = new AbortController();
  const items = open(AbortSignal.any([signal, silent.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const heard = new AbortController();
      void clock.sleep(silenceMs, heard.signal).then(() => {
        if (!heard.signal.aborted) silent.abort();
      });
      const next = await items.next().finally(() => heard.abort());
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    if (!silent.signal.aborted) throw error;
    throw new MillraceError("unreachable", `the master has sent nothing for ${silenceMs / 1000} s`, { retry: "same" });
  } finally {
    await items.return?.();
  }
}
