// From what a user says about a cluster to a master that has been said hello to.
import type { RemoteMaster } from "../rpc/services.ts";

export interface ConnectOptions {
  /** "https://m1:7070". */
  readonly address: string;
  /** Default: what MILLRACE_TOKEN_FILE names, else what a master on this machine has left for its user. */
  readonly tokenFile?: string | undefined;
  /** PEM file. Default: what this machine trusts. */
  readonly ca?: string | undefined;
}

export async function connectTo(_options: ConnectOptions): Promise<RemoteMaster> {
  throw new Error("not yet");
}
