// Addresses that workers announce: the master and other workers will connect to them, so they must be a worker's and nothing
// else's (S23). What counts is looked at where a report comes in, and again, as a name may lead elsewhere by then, when a
// connection is made.
import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import { isLoopbackName } from "../rpc/gate.ts";
import { checkWorkerAddress } from "../rpc/worker-address.ts";

/** Where no worker can be: link-local (cloud metadata services among them), "any", multicast, reserved. */
const never = new BlockList();
never.addSubnet("0.0.0.0", 8, "ipv4");
never.addSubnet("169.254.0.0", 16, "ipv4");
never.addSubnet("224.0.0.0", 3, "ipv4");
never.addAddress("::", "ipv6");
never.addSubnet("fe80::", 10, "ipv6");
never.addSubnet("ff00::", 8, "ipv6");
never.addAddress("fd00:ec2::254", "ipv6");

export interface AddressRules {
  /** The master listens on loopback only: so do its workers. */
  readonly loopbackOnly: boolean;
  /** With TLS, workers have it too. */
  readonly tls: boolean;
}

/** Throws `wrong-usage`; the address as a URL. */
export function workerAddress(worker: WorkerId, address: string, { loopbackOnly, tls }: AddressRules): URL {
  checkWorkerAddress(address);
  const url = new URL(address);
  const refuse = (why: string): never => {
    throw new MillraceError(
      "wrong-usage",
      `worker ${worker} announces the address ${address}, but ${why}: give it another --listen`,
    );
  };
  if (url.protocol !== (tls ? "https:" : "http:")) refuse(`this cluster speaks ${tls ? "TLS" : "plain HTTP"}`);
  if (loopbackOnly && !isLoopbackName(url.hostname)) refuse("this master is for one machine (it listens on loopback)");
  return url;
}

/** Of connections to workers: a name that leads where no worker can be leads nowhere. */
export const workerLookup: LookupFunction = (host, options, done) => {
  lookup(host, options, (error, found, family) => {
    const places = typeof found === "string" ? [found] : (found ?? []).map(({ address }) => address);
    if (error === null && places.some(isNever)) done(new Error(`${host} leads where no worker can be`), "", 0);
    else done(error, found, family);
  });
};

/** Exported for its test. */
export function isNever(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return never.check(mapped, "ipv4");
  return never.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
}
