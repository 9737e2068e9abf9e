/**
 * Runs `work` for each item, at most `width` at a time. After a failure it begins no more items, waits for those that
 * have begun, and throws the first failure.
 */
export async function forEachAtMost<T>(
  width: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  let failure: { readonly thrown: unknown } | undefined;
  const run = async () => {
    while (failure === undefined) {
      const next = waiting.next();
      if (next.done === true) return;
      try {
        await work(next.value);
      } catch (thrown) {
        failure ??= { thrown };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, run));
  if (failure !== undefined) throw failure.thrown;
}
