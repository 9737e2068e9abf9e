// The guide's commands, as they stand there, on three machines: certificates, tokens, units, jobs, draining.
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fencesOf } from "../docs/fences.ts";
import { repository } from "../support/cli.ts";
import { hostsMissing, openHosts, type Service } from "./hosts.ts";

const page = "docs/cluster.md";

/** Where a unit of the guide runs. */
const hostsOf: Readonly<Record<string, readonly string[]>> = {
  "millrace-master.service": ["m1"],
  "millrace-worker.service": ["w1", "w2"],
};

test.skipIf(hostsMissing !== undefined)(
  `the guide's commands do on three machines, with TLS between them, what the guide says${hostsMissing === undefined ? "" : ` (${hostsMissing})`}`,
  async () => {
    const hosts = openHosts(["m1", "w1", "w2"]);
    const services = new Map<string, Service>();
    const said: string[] = [];
    try {
      cpSync(join(repository, "examples"), join(hosts.shared, "millrace/examples"), { recursive: true });
      for (const fence of fencesOf(page, readFileSync(join(repository, page), "utf8"))) {
        if (fence.file !== undefined && hostsOf[fence.file] !== undefined) {
          const command = /^ExecStart=(.*)$/m.exec(fence.code)![1]!;
          for (const host of hostsOf[fence.file]!)
            services.set(host, await hosts.start(host, command.replaceAll("%l", host)));
        }
        if (fence.host === undefined) continue;
        const { output, failed } = await hosts.run(fence.host, fence.code);
        expect(
          failed,
          `${page}:${fence.line}\n${output}\n${[...services.values()].map((one) => one.output()).join("\n")}`,
        ).toBeUndefined();
        said.push(output);
      }
      const all = said.join("\n");
      expect(all).toMatch(/https:\/\/m1:7070: 2 workers with 8 slots/);
      expect(all).toMatch(/^ {2}w1 +(idle|busy) .*https:\/\/w1:7071$/m);
      expect(all.match(/^done word-count in /gm)?.length).toBeGreaterThanOrEqual(3);
      expect(all).toMatch(/job-published +published/);
      // `millrace drain w2` ends that worker, and no other.
      expect(await services.get("w2")!.ended).toBe(0);
      expect(services.get("w1")!.output()).not.toContain("draining");
    } finally {
      hosts.close();
    }
  },
  // Two dozen processes on three machines that are one.
  240_000,
);
