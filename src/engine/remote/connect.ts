// From what a user says about a cluster to a master that has been said hello to.
import { systemClock } from "../../base/system/clock.ts";
import type { RemoteMaster } from "../../protocol/services.ts";
import { ourVersions } from "../../protocol/versions.ts";
import { findToken } from "../../rpc/access/find-token.ts";
import { connectMaster } from "../../rpc/client/client.ts";

export interface ConnectOptions {
  /** "https://m1:7070". */
  readonly address: string;
  /** Default: what MILLRACE_TOKEN_FILE names, else what a master on this machine has left for its user. */
  readonly tokenFile?: string | undefined;
  /** PEM file. Default: what this machine trusts. */
  readonly ca?: string | undefined;
  /** Ends the wait for a master that does not answer. */
  readonly signal?: AbortSignal | undefined;
  /** Told once when the master does not answer any more, with the reason, and once when it does again. */
  readonly onConnection?: ((state: "lost" | "back", why: string) => void) | undefined;
}

/**
 * Throws `wrong-usage` for what is no address, `no-access` where there is no token or it is refused, `not-supported` for a master
 * of another version, and `unreachable` when nobody has answered for some seconds.
 */
export async function connectTo({
  address,
  tokenFile,
  ca,
  signal,
  onConnection,
}: ConnectOptions): Promise<RemoteMaster> {
  const token = findToken({ address, tokenFile });
  let isLost = false;
  const master = connectMaster({
    address,
    token,
    ca,
    role: "client",
    clock: systemClock,
    random: Math.random,
    onRepeat: ({ message }) => {
      if (!isLost) onConnection?.("lost", message);
      isLost = true;
    },
    onWelcome: () => {
      if (isLost) onConnection?.("back", "");
      isLost = false;
    },
  });
  try {
    await master.hello({ ...ourVersions, role: "client", worker: undefined }, signal);
    return master;
  } catch (error) {
    master.close();
    throw signal?.aborted ? signal.reason : error;
  }
}
