// Machines on this machine: each a network namespace on one bridge, with a name, a /var/lib of its own and a /srv that
// all share. Needs root on Linux.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../support/cli.ts";

export interface Hosts {
  /** What is /srv on all of them. */
  readonly shared: string;
  /** One bash per host, which a fence's variables and background jobs outlive. Resolves with what was printed. */
  run(host: string, code: string): Promise<{ readonly output: string; readonly failed: string | undefined }>;
  /** A service as its unit says; resolves when it has printed `ready`. */
  start(host: string, command: string): Promise<Service>;
  /** From now on no packet of `from` reaches `to`, and nothing says so: one way. Both ways are two cuts. */
  cut(from: string, to: string): void;
  /** Takes all cuts away. */
  mend(): void;
  /** Packets that cuts have swallowed so far. */
  swallowed(): number;
  close(): void;
}

export interface Service {
  readonly ended: Promise<number | null>;
  output(): string;
}

/** Why there can be no hosts here; undefined: there can. */
export const hostsMissing = (() => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "namespaces need root on Linux";
  const tried = spawnSync("sh", [
    "-c",
    "command -v ip openssl unshare && ip netns add mr-probe-$$ && ip -n mr-probe-$$ link add b0 type bridge; r=$?; ip netns del mr-probe-$$; exit $r",
  ]);
  return tried.status === 0 ? undefined : "network namespaces can't be made here";
})();

/** The hardware address that packets of a cut are sent to. */
const sinkAddress = "02:00:00:00:77:01";
const noFlood = ["flood", "off", "bcast_flood", "off", "mcast_flood", "off"];

export function openHosts(names: readonly string[]): Hosts {
  const root = mkdtempSync(join(tmpdir(), "millrace-hosts-"));
  const id = `mr${process.pid}`;
  const hub = `${id}-hub`;
  const space = (name: string) => `${id}-${name}`;
  const shared = join(root, "srv");
  const bin = join(root, "bin");
  const shells = new Map<string, Shell>();
  mkdirSync(shared);
  mkdirSync(bin);
  writeFileSync(
    join(root, "hosts"),
    ["127.0.0.1 localhost", ...names.map((name, i) => `10.77.0.${i + 1} ${name}`)].join("\n"),
  );
  const script = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/bash\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  // Runs a command on a host.
  script(
    "on",
    `host=$1; shift
exec ip netns exec ${id}-$host unshare -m --propagation private bash -c '
  mount --bind ${root}/srv /srv && mount --bind ${root}/$0 /var/lib && mount --bind ${root}/hosts /etc/hosts && cd ~ && exec "$@"' $host "$@"`,
  );
  script("ssh", `exec ${bin}/on "$@"`);
  script(
    "scp",
    `[ "$1" = -p ] && shift\nhost=\${2%%:*} path=\${2#*:}\nexec cp -p "$1" ${root}/$host/\${path#/var/lib/}`,
  );
  symlinkSync(join(repository, "bin/millrace.js"), join(bin, "millrace"));
  const env = {
    PATH: `${bin}:${process.env["PATH"]}`,
    HOME: "/var/lib/millrace",
    LANG: "C.UTF-8",
    NO_COLOR: "1",
  };
  const ip = (...words: string[]) => execFileSync("ip", words, { stdio: "pipe" });
  const address = (name: string) => `10.77.0.${names.indexOf(name) + 1}`;
  const cuts: { readonly from: string; readonly to: string }[] = [];
  const close = () => {
    for (const name of [...names, "hub"]) {
      const found = spawnSync("ip", ["netns", "pids", space(name)], { encoding: "utf8" });
      for (const pid of (found.stdout ?? "").split("\n").filter((line) => line !== "")) {
        try {
          process.kill(Number(pid), "SIGKILL");
        } catch {
          // it has ended by itself
        }
      }
      spawnSync("ip", ["netns", "del", space(name)]);
    }
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    ip("netns", "add", hub);
    ip("-n", hub, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    ip("-n", hub, "link", "set", "br0", "addrgenmode", "none");
    ip("-n", hub, "link", "set", "br0", "up");
    // Where packets of a cut go: an interface without an address counts and drops them. Nothing else is sent to it: the
    // bridge floods nothing there, and neither has an address of its own to announce.
    ip("-n", hub, "link", "add", "drain", "type", "veth", "peer", "name", "sink", "address", sinkAddress);
    for (const end of ["drain", "sink"]) ip("-n", hub, "link", "set", end, "addrgenmode", "none");
    ip("-n", hub, "link", "set", "drain", "master", "br0", "up");
    ip("-n", hub, "link", "set", "drain", "type", "bridge_slave", ...noFlood);
    ip("netns", "exec", hub, "bridge", "fdb", "replace", sinkAddress, "dev", "drain", "master", "static");
    ip("-n", hub, "link", "set", "sink", "up");
    for (const [i, name] of names.entries()) {
      mkdirSync(join(root, name, "millrace"), { recursive: true });
      ip("netns", "add", space(name));
      ip("-n", space(name), "link", "set", "lo", "up");
      ip("-n", hub, "link", "add", `p${i}`, "type", "veth", "peer", "name", "eth0", "netns", space(name));
      ip("-n", hub, "link", "set", `p${i}`, "master", "br0", "up");
      ip("-n", space(name), "addr", "add", `10.77.0.${i + 1}/24`, "dev", "eth0");
      ip("-n", space(name), "link", "set", "eth0", "up");
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    shared,
    run(host, code) {
      let shell = shells.get(host);
      if (shell === undefined) shells.set(host, (shell = openShell(join(bin, "on"), host, env)));
      return shell(code);
    },
    start(host, command) {
      const child = spawn(join(bin, "on"), [host, "sh", "-c", `exec ${command}`], {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      child.stdout.on("data", (chunk) => (output += chunk));
      child.stderr.on("data", (chunk) => (output += chunk));
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      return new Promise((resolve, reject) => {
        child.stdout.on("data", () => {
          if (/^ready /m.test(output)) resolve({ ended, output: () => output });
        });
        void ended.then((code) => reject(new Error(`${command} ended with ${code} before it was ready:\n${output}`)));
      });
    },
    cut(from, to) {
      ip("-n", space(from), "neigh", "replace", address(to), "lladdr", sinkAddress, "dev", "eth0", "nud", "permanent");
      cuts.push({ from, to });
    },
    mend() {
      for (const { from, to } of cuts.splice(0)) ip("-n", space(from), "neigh", "del", address(to), "dev", "eth0");
    },
    swallowed() {
      const [sink] = JSON.parse(ip("-n", hub, "-s", "-j", "link", "show", "sink").toString()) as [
        { readonly stats64: { readonly rx: { readonly packets: number } } },
      ];
      return sink.stats64.rx.packets;
    },
    close,
  };
}

type Shell = Hosts["run"] extends (host: string, code: string) => infer R ? (code: string) => R : never;

function openShell(on: string, host: string, env: Readonly<Record<string, string>>): Shell {
  const child = spawn(on, [host, "bash"], { env, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  let wake = () => {};
  const take = (chunk: Buffer) => {
    output += chunk;
    wake();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  child.once("close", () => take(Buffer.from("\n@@done\n")));
  child.stdin.on("error", () => {}); // what it has said before it ended tells more
  child.stdin.write(`set -uo pipefail\ntrap 'echo "@@failed $?: $BASH_COMMAND"' ERR\ncd /srv/millrace\n`);
  return async (code) => {
    output = "";
    child.stdin.write(`${code}\necho; echo @@done\n`);
    while (!output.includes("\n@@done\n")) await new Promise<void>((resolve) => (wake = resolve));
    const failed = /^@@failed (.*)$/m.exec(output)?.[1];
    return { output: output.replace("\n@@done\n", ""), failed };
  };
}
