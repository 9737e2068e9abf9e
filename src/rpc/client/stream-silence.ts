// Ends a stream of messages that stops in the middle although its connection lives: pings are answered by a machine whose
// program, or whose disk, hangs. For streams that always have a next item or an end; one that waits for news has neither.

import { MillraceError } from "../../base/error.ts";
import type { Clock } from "../../base/system/clock.ts";

interface StreamSilence<T> {
  readonly clock: Clock;
  readonly silenceMs: number;
  /** The stream, which ends with the signal. */
  readonly open: (signal: AbortSignal) => AsyncIterable<T>;
}

/** The stream's items. Throws `unreachable`, to be tried again, where the next one does not come in time. */
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
