// What connections may cost: the bounds of a listener, with their defaults. Tests give others.
import { limits } from "../../base/limits.ts";
import type { SilenceBounds } from "../transfer-silence.ts";

export interface ListenerBounds extends SilenceBounds {
  readonly headBytes: number;
  /** Time within which a connection must send a head and show a token. */
  readonly headMs: number;
  readonly connections: number;
  /** Connections without a token: in all, and from one address. */
  readonly unknownConnections: number;
  readonly unknownPerAddress: number;
  /** Requests of one connection without a token (health checks), and how many of them at once by HTTP/2. */
  readonly unknownRequests: number;
  readonly unknownStreams: number;
  /** Time to read the answer, for a connection whose request was refused. */
  readonly refusedMs: number;
  /** Requests at once on an HTTP/2 connection with a token. */
  readonly streams: number;
  /** An HTTP/1.1 connection on which nothing moves for this long is ended. */
  readonly idleMs: number;
  /** HTTP/2 connections are pinged at this interval, and ended when an answer is missing for as long (fault 49). */
  readonly pingMs: number;
}

export const defaultBounds: ListenerBounds = {
  headBytes: 8 * 1024,
  headMs: 10_000,
  connections: 20_000,
  unknownConnections: 4096,
  unknownPerAddress: 2048,
  unknownRequests: 64,
  unknownStreams: 4,
  refusedMs: 500,
  streams: 128,
  idleMs: 60_000,
  pingMs: 10_000,
  silenceMs: limits.silenceMs,
  silenceBytesMin: limits.silenceBytesMin,
};
