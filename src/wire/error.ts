// Errors on the wire: a gRPC code for whoever knows nothing of us, and in the details our own code and what may be done about it.
// Causes, stacks and unexpected errors stay where they are.
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, isErrorCode, MillraceError, type Retry } from "../base/error.ts";
import { meaningOf } from "../base/error-codes.ts";
import { ErrorDetailSchema } from "./gen/millrace/v1/service_pb.ts";

/** It travels in a header, percent-encoded and once more in the details. */
const messageCharactersMax = 4000;

export function toWire(error: MillraceError): ConnectError {
  // Who is told "not-leader" asks again: the master that leads then knows the answer.
  const retry: Retry = error.code === "not-leader" ? "same" : error.retry;
  const detail = { desc: ErrorDetailSchema, value: create(ErrorDetailSchema, { code: error.code, retry }) };
  return new ConnectError(
    error.message.slice(0, messageCharactersMax),
    Code[meaningOf(error.code).grpc],
    undefined,
    [detail],
    error,
  );
}

/** Undefined: it was not written by a master. */
export function fromWire(error: ConnectError): MillraceError | undefined {
  const detail = error.findDetails(ErrorDetailSchema)[0];
  if (detail === undefined) return undefined;
  const code: ErrorCode = isErrorCode(detail.code) ? detail.code : "io-error";
  const retry: Retry = detail.retry === "same" || detail.retry === "elsewhere" ? detail.retry : "never";
  return new MillraceError(code, error.rawMessage, { retry, cause: error });
}
