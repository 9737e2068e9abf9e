import { checkWorkerAddress } from "../rpc/access/worker-address.ts";
import { TransferFault } from "./transfer-fault.ts";

/**
 * The parts of a worker's address. Throws a `TransferFault` for anything else, and for an address that is never asked
 * (S23).
 */
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
