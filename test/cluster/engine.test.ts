// The engines of this repository, each held to what every engine promises: jobs run in this process and its slots, and
// on a cluster of a master and two workers as their user starts them.
import { join } from "node:path";
import { vi } from "vitest";
import { MiB } from "../../src/base/limits.ts";
import { openLocal } from "../../src/engine/local/open.ts";
import { connectTo } from "../../src/engine/remote/connect.ts";
import { openRemote } from "../../src/engine/remote/open.ts";
import { engineConformance } from "../conformance/engine.ts";
import { startCluster } from "./processes.ts";

// As built, for the engines run from sources here.
vi.mock("../../src/worker/slots/path.ts", () => ({
  slotProgram: new URL("../../dist/slot.cjs", import.meta.url).pathname,
}));

engineConformance("this process", async () => ({
  open: (module, output) => openLocal({ module, output, slots: 2, memoryBytes: 256 * MiB }),
  close() {},
}));

engineConformance("a cluster", async () => {
  const cluster = await startCluster();
  const tokenFile = join(cluster.folder, "state/tokens/admin");
  return {
    open: (module, output) =>
      openRemote({
        module,
        output,
        address: cluster.address,
        master: connectTo({ address: cluster.address, tokenFile }),
      }),
    close: () => cluster.close(),
  };
});
