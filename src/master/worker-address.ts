// Checks the addresses that workers announce. Beyond the rules of rpc/access/worker-address.ts, a worker must use the
// master's scheme, and be on loopback where the master is.
import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import { checkWorkerAddress } from "../rpc/access/worker-address.ts";
import { isLoopbackName } from "../rpc/server/gate.ts";

export interface AddressRules {
  /** True when the master listens on loopback only: so must its workers. */
  readonly loopbackOnly: boolean;
  /** True when the master uses TLS: so must its workers. */
  readonly tls: boolean;
}

/** The address as a URL. Throws `wrong-usage` for one that breaks the rules. */
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
