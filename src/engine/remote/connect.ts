// Connects to a cluster: finds the token and certificate that the user means, and greets the master.
import { systemClock } from "../../base/system/clock.ts";
import type { RemoteMaster } from "../../protocol/services.ts";
import { ourVersions } from "../../protocol/versions.ts";
import { findToken } from "../../rpc/access/find-token.ts";
import { connectMaster } from "../../rpc/client/client.ts";

export interface ConnectOptions {
  /** The master's address, such as "https://m1:7070", or those of all masters with commas between. */
  readonly address: string;
  /**
   * File with the token. Default: the one that MILLRACE_TOKEN_FILE names, else the one that a master on this machine
   * has left.
   */
  readonly tokenFile?: string | undefined;
  /**
   * PEM file of the authority that signed the master's certificate. Default: the authorities that this machine trusts.
   */
  readonly ca?: string | undefined;
  /** Ends the wait for a master that does not answer. */
  readonly signal?: AbortSignal | undefined;
  /** Called once when the master no longer answers, with the reason, and once when it answers again. */
  readonly onConnection?: ((state: "lost" | "back", why: string) => void) | undefined;
}

/**
 * Throws `wrong-usage` for an invalid address, `no-access` when there is no token or it is refused, `not-supported` for
 * a master of another version, and `unreachable` when nothing has answered for some seconds.
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
