// The name of a cluster: that of its state, which no other state has. Workers know by it whether a master at the same
// address is still theirs.
import type { Leadership, StoredRecord } from "../state/store.ts";

/** Key of the record that holds it. */
const clusterKey = "cluster";

/** The stored name; a state that has none yet gets `name`, unless that is empty. */
export async function clusterOf(
  records: readonly StoredRecord[],
  leadership: Leadership,
  name: string,
): Promise<string> {
  const stored = records.find(({ key }) => key === clusterKey);
  if (stored !== undefined) return Buffer.from(stored.value).toString();
  if (name !== "") await leadership.commit([{ put: { key: clusterKey, value: Buffer.from(name) } }]);
  return name;
}
