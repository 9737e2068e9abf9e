// Hosts can be cut from each other, one way too, and what a cut has swallowed is counted.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { hostsMissing, openHosts } from "../cluster/hosts.ts";

test.skipIf(hostsMissing !== undefined && process.env["CI"] !== "true")(
  `a cut swallows packets of one way, counts them, and is mended${hostsMissing === undefined ? "" : `: ${hostsMissing}`}`,
  () => {
    const hosts = openHosts(["a", "b", "c"]);
    try {
      // A datagram's way there is one way: what arrives is what `host` has sent to `to`.
      const arrives = (from: string, to: string, address: string) => {
        const id = `mr${process.pid}`;
        const code = `timeout 5 ip netns exec ${id}-${to} node -e '
          const s = require("node:dgram").createSocket("udp4");
          s.on("message", () => { console.log("arrived"); process.exit(0); });
          s.bind(9000, () => console.log("bound"));
          setTimeout(() => process.exit(1), 1500);' & listener=$!
          for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; ip netns exec ${id}-${from} bash -c 'echo hi > /dev/udp/${address}/9000'; done
          wait $listener`;
        return spawnSync("bash", ["-c", code], { encoding: "utf8" }).stdout.includes("arrived");
      };
      expect(arrives("a", "b", "10.77.0.2")).toBe(true);
      expect(hosts.swallowed()).toBe(0);
      hosts.cut("a", "b");
      expect(arrives("a", "b", "10.77.0.2")).toBe(false);
      expect(hosts.swallowed()).toBeGreaterThanOrEqual(10);
      expect(arrives("b", "a", "10.77.0.1")).toBe(true);
      expect(arrives("a", "c", "10.77.0.3")).toBe(true);
      hosts.mend();
      expect(arrives("a", "b", "10.77.0.2")).toBe(true);
    } finally {
      hosts.close();
    }
  },
  60_000,
);
