// Addresses that workers announce, and what this cluster asks of them beyond rpc/access/worker-address.ts: its own protocol, and loopback
// where the master itself is on loopback.
import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import { checkWorkerAddress } from "../rpc/access/worker-address.ts";
import { isLoopbackName } from "../rpc/server/gate.ts";

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
