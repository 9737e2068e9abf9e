import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { checkWorkerAddress, isReserved } from "../rpc/worker-address.ts";
import { TransferFault } from "./transfer-fault.ts";

/** The parts of a worker's address. Throws a `TransferFault` for what is none, or one that is never asked (S23). */
export function parseAddress(address: string): {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
} {
  try {
    checkWorkerAddress(address);
  } catch (error) {
    throw new TransferFault("unreachable", error instanceof Error ? error.message : String(error), error);
  }
  const { protocol, hostname, port } = new URL(address);
  const isTls = protocol === "https:";
  return { isTls, host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? (isTls ? 443 : 80) : Number(port) };
}

/** Looks up a name as the system does, and refuses what `parseAddress` refuses: names can lead anywhere. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, options, (error, address, family) => {
    const all = Array.isArray(address) ? address.map((one) => one.address) : [address];
    const refused = error === null ? all.find(isReserved) : undefined;
    const fault =
      refused === undefined
        ? error
        : new TransferFault("unreachable", `${hostname} is ${refused}, which no worker has`);
    callback(fault, address, family);
  });
};
