// Commits to a LevelDB store, from the commit on that is stored last; the store is closed and opened again at half
// time, so that its log becomes a table. Arguments: the folder.
import { join } from "node:path";
import { openLevelStore } from "../../../src/state/leveldb.ts";
import { stateCommits, stateKept, stateKey, stateValue } from "../state-contents.ts";
import { acknowledge, victim } from "./acknowledge.ts";

const directory = join(process.argv[2]!, "store");

await victim(async () => {
  let next = 0;
  for (const until of [stateCommits / 2, stateCommits]) {
    const store = await openLevelStore(directory);
    try {
      for await (const { key, value } of store.scan("")) {
        if (key === "last") next = Number(Buffer.from(value).toString()) + 1;
      }
      // What a life has seen counts as acknowledged.
      acknowledge(`committed ${next - 1}`);
      const leader = await store.lead("victim", new AbortController().signal);
      for (; next < until; next++) {
        await leader.commit([
          { put: { key: stateKey(next), value: stateValue(next) } },
          { put: { key: "last", value: Buffer.from(String(next)) } },
          { delete: stateKey(next - stateKept) },
        ]);
        acknowledge(`committed ${next}`);
      }
    } finally {
      await store.close();
    }
  }
});
