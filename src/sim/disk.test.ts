import { runStoreConformance } from "../../test/conformance/run-store.ts";
import { attemptName } from "../base/ids.ts";
import { Disk } from "./disk.ts";

runStoreConformance("a simulated disk", () => {
  const disk = new Disk("w");
  return {
    store: disk.runStore(),
    seesFiles: false,
    write(attempt) {
      disk.write({ attempt, isFinished: true, damage() {}, offer: () => undefined });
      return { writtenBy: attempt, path: attemptName(attempt), bytes: 5, pairs: 1 };
    },
    has: ({ writtenBy }) => disk.find(writtenBy) !== undefined,
  };
});
