// A process's connection to etcd in a simulated world: Connect's transport over the simulated network, so that the
// product's own client of etcd runs over it.

import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, type DescMessage, type DescMethodStreaming, type DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { MillraceError } from "../../base/error.ts";
import type { Network } from "../network.ts";
import type { Process } from "../process.ts";
import { EtcdError } from "./apply.ts";
import type { Sent, WatchRequest } from "./server.ts";

export function etcdTransport(process: Process, network: Network, life: object, defaultTimeoutMs: number): Transport {
  const call = async (name: string, message: unknown, timeoutMs: number, signal?: AbortSignal): Promise<unknown> => {
    const sent: Sent = { life, message };
    try {
      return await unlessAborted(network.call(process, "store", name, sent, { timeoutMs, isSteady: true }), signal);
    } catch (error) {
      throw connectError(error);
    }
  };
  return {
    async unary(method, signal, timeoutMs, _header, input) {
      const message = create(method.input, input);
      const answer = await call(method.name, message, timeoutMs ?? defaultTimeoutMs, signal);
      return { stream: false, ...about(method), message: shaped(method.output, answer) };
    },
    async stream(method, signal, _timeoutMs, _header, input) {
      const messages = method.name === "Watch" ? watched(input, signal) : oneByOne(method, input, signal);
      return { stream: true, ...about(method), message: shapedAll(method.output, messages) };
    },
  };

  /** Each message that is sent has one answer. */
  async function* oneByOne<I extends DescMessage>(
    method: DescMethodStreaming<I, DescMessage>,
    input: AsyncIterable<MessageInitShape<I>>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<unknown> {
    for await (const init of input) yield await call(method.name, create(method.input, init), defaultTimeoutMs, signal);
  }

  /** One watch: it asks again and again from where it is. */
  async function* watched(input: AsyncIterable<unknown>, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
    const first = (await input[Symbol.asyncIterator]().next()).value as {
      readonly requestUnion: { readonly value: Partial<WatchRequest> };
    };
    const { key, rangeEnd, startRevision } = first.requestUnion.value;
    let from = startRevision ?? 0n;
    yield { created: true };
    for (;;) {
      const request: WatchRequest = { key: key!, rangeEnd: rangeEnd ?? new Uint8Array(), startRevision: from };
      const answer = (await call("Watch", request, defaultTimeoutMs * 3, signal)) as Answer;
      if (answer.canceled || answer.events.length > 0) yield answer;
      if (answer.canceled) return;
      from = answer.next;
    }
  }
}

interface Answer {
  readonly canceled: boolean;
  readonly events: readonly unknown[];
  readonly next: bigint;
}

function about<M extends DescMethodUnary | DescMethodStreaming>(method: M) {
  return { service: method.parent, method, header: new Headers(), trailer: new Headers() };
}

function shaped<O extends DescMessage>(schema: O, answer: unknown): MessageShape<O> {
  return create(schema, answer as MessageInitShape<O>);
}

async function* shapedAll<O extends DescMessage>(schema: O, answers: AsyncIterable<unknown>) {
  for await (const answer of answers) yield shaped(schema, answer);
}

function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new ConnectError("the call was given up", Code.Canceled));
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

/** As Connect's gRPC transport rejects. */
function connectError(error: unknown): unknown {
  if (error instanceof EtcdError) return new ConnectError(error.message, error.code);
  if (error instanceof MillraceError && error.code === "unreachable")
    return new ConnectError("etcd did not answer in time", Code.DeadlineExceeded);
  return error;
}
