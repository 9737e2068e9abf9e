import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { TransferFault } from "./transfer-fault.ts";

/**
 * The parts of a worker's address. Only http(s)://host:port is one, and none that a network gives out by itself, where clouds
 * keep their credentials (S23). Throws a `TransferFault`.
 */
export function parseAddress(address: string): {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
} {
  const match = /^(https?):\/\/(\[[\da-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port === 0 || port > 65535) {
    throw new TransferFault("unreachable", `${JSON.stringify(address)} is not the address of a worker`);
  }
  const host = match[2]!.replace(/^\[|\]$/g, "");
  if (isLinkLocal(host)) throw linkLocal(host);
  return { isTls: match[1] === "https", host, port };
}

/** Looks up a name as the system does, and refuses the same addresses. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, options, (error, address, family) => {
    const all = Array.isArray(address) ? address.map((one) => one.address) : [address];
    const refused = error === null ? all.find(isLinkLocal) : undefined;
    callback(refused === undefined ? error : linkLocal(refused), address, family);
  });
};

function isLinkLocal(address: string): boolean {
  return /^(::ffff:)?169\.254\.|^fe[89ab][\da-f]:/i.test(address);
}

function linkLocal(address: string): TransferFault {
  return new TransferFault("unreachable", `${address} is a link-local address, which no worker has`);
}
