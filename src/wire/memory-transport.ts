// Joins master and worker in one process by plain calls. Every message is encoded and decoded, so that nothing works
// here that would not work across a wire.

import type { Heartbeats } from "../protocol/services.ts";
import { decodeOrders, decodeReport, encodeOrders, encodeReport } from "./convert.ts";

/** The worker's side of a master in this process. `master` may still be starting: calls wait for it. */
export function memoryTransport(master: Heartbeats | Promise<Heartbeats>): Heartbeats {
  return {
    async heartbeat(report, signal) {
      const bytes = encodeReport(report);
      const answering = await master;
      const orders = await answering.heartbeat(decodeReport(bytes), signal);
      return decodeOrders(encodeOrders(orders));
    },
  };
}
