import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { greetingConformance, type MasterUnderTest, masterConformance } from "../../test/conformance/master.ts";
import { fakeMaster, serveMaster, someSpec } from "../../test/support/fake-master.ts";
import { limits } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import type { MasterApi, RemoteMaster } from "../protocol/services.ts";
import { Secret } from "../rpc/access/token-digest.ts";
import { connectMaster } from "../rpc/client/client.ts";
import { openMasterNode } from "./node.ts";

/** As built: tests run the sources. */
const lookProgram = fileURLToPath(new URL("../../dist/look.cjs", import.meta.url));
const bundle = Buffer.from("export default 1;");

async function* content() {
  yield bundle;
}

/** A master's node, reached as `reach` says. */
async function opened(reach: "here" | "wire"): Promise<MasterUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-api-"));
  writeFileSync(join(folder, "in.txt"), "a b\n");
  process.env["XDG_CONFIG_HOME"] = join(folder, "config");
  const node = await openMasterNode({ state: join(folder, "state"), listen: "127.0.0.1:0", lookProgram });
  const remotes: RemoteMaster[] = [];
  const connect = (scope: string, role: "client" | "worker", worker?: string): RemoteMaster => {
    const token = new Secret(readFileSync(join(node.tokens, scope), "utf8").trim());
    const remote = connectMaster({ address: node.address, token, role, worker, clock: systemClock, random: () => 0.5 });
    remotes.push(remote);
    return remote;
  };
  const admin = connect("admin", "client");
  const sha256 = createHash("sha256").update(bundle).digest("hex");
  await admin.blobs.put(sha256, content(), limits.bundleBytesMax);
  const workers = new Map<string, MasterApi>();
  let outputs = 0;
  return {
    client: reach === "here" ? node.api : admin,
    worker(name) {
      if (reach === "here") return node.api;
      let api = workers.get(name);
      if (api === undefined) workers.set(name, (api = connect("worker", "worker", name)));
      return api;
    },
    spec: () => ({
      ...someSpec,
      bundle: sha256,
      inputs: [{ name: "", paths: ["in.txt"] }],
      directory: folder,
      output: join(folder, `out-${++outputs}`),
    }),
    async close() {
      for (const remote of remotes) remote.close();
      await node.close();
      delete process.env["XDG_CONFIG_HOME"];
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

masterConformance("a node's API in this process", () => opened("here"));
masterConformance("a client in front of a node", () => opened("wire"));

// Tests' fake keeps no jobs, and answers for whatever it is asked: it claims to greet as a master does, no more.
greetingConformance("tests' fake", async () => ({ worker: () => fakeMaster(), close() {} }));
greetingConformance("a client in front of tests' fake", async () => {
  const { address, tokens, listener } = await serveMaster(fakeMaster());
  const remote = connectMaster({
    address,
    token: tokens.worker,
    role: "worker",
    worker: "w",
    clock: systemClock,
    random: () => 0.5,
  });
  return {
    worker: () => remote,
    async close() {
      remote.close();
      await listener.close(0);
    },
  };
});
