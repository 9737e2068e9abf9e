import { existsSync } from "node:fs";
import { join } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that take longest, begun first, so that no core waits for one of them at the end: a clean clone knows no
 * times of an earlier run, and vitest would go by their sizes. The end of `npm test` prints what takes longest.
 */
const longest = [
  "test/package/install.test.ts",
  "test/cli/test.test.ts",
  "test/cli/late-errors.test.ts",
  "test/chaos/chaos.test.ts",
  "test/faults/slots.test.ts",
  "test/cluster/run.test.ts",
  "test/docs/docs.test.ts",
  "src/storage/s3/publish.test.ts",
  "test/cli/sim.test.ts",
  "test/cluster/s3.test.ts",
  "test/cli/options.test.ts",
  "test/faults/signals.test.ts",
  "src/kernel/reference.test.ts",
  "test/process/resume.test.ts",
  "test/cli/load-errors.test.ts",
  "test/faults/late.test.ts",
  "test/cluster/worker.test.ts",
  "test/process/slot.test.ts",
  "test/cluster/hostile.test.ts",
  "test/cli/endless.test.ts",
  "src/kernel/wasm.test.ts",
  "test/cluster/master.test.ts",
  "test/cli/init-from.test.ts",
  "test/oracle/differential.test.ts",
  "test/cluster/rpc.test.ts",
  "test/faults/early.test.ts",
  "test/faults/disk.test.ts",
  "test/cluster/late.test.ts",
  "test/faults/input.test.ts",
  "test/cli/dead-letters.test.ts",
  "test/cluster/bad-input.test.ts",
  "src/sim/job/world.test.ts",
  "src/task/reduce/key-lines.test.ts",
  "test/examples/examples.test.ts",
  "src/format/json/table.test.ts",
  "test/cli/boot.test.ts",
  "test/cli/schemas.test.ts",
  "src/task/map/block-mappers.test.ts",
  "test/process/same-bytes.test.ts",
  "test/cluster/engine.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const gone = longest.filter((path) => !existsSync(join(root, path)));
    if (gone.length > 0) throw new Error(`test/order.ts names what is not there: ${gone.join(", ")}`);
    const place = new Map(longest.map((path, index) => [join(root, path), index]));
    const placeOf = ({ moduleId }: TestSpecification) => place.get(moduleId) ?? longest.length;
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
