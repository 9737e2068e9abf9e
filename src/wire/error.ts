// Errors on the wire: a gRPC code for callers that know only gRPC, and in the details Millrace's own code and whether
// trying again may help. Causes, stacks and unexpected errors are not sent.
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, isErrorCode, MillraceError, type Retry } from "../base/error.ts";
import { meaningOf } from "../base/error-codes.ts";
import { ErrorDetailSchema } from "./gen/millrace/v1/service_pb.ts";

/** Longest message: it is sent in a header, percent-encoded, and once more in the details. */
const messageCharactersMax = 4000;

export function toWire(error: MillraceError): ConnectError {
  // A caller that gets "not-leader" asks again, as the next leader knows the answer.
  const retry: Retry = error.code === "not-leader" ? "same" : error.retry;
  const detail = {
    desc: ErrorDetailSchema,
    value: create(ErrorDetailSchema, { code: error.code, retry, leader: error.leader ?? "" }),
  };
  return new ConnectError(
    error.message.slice(0, messageCharactersMax),
    Code[meaningOf(error.code).grpc],
    undefined,
    [detail],
    error,
  );
}

/** The error that a master sent; undefined: it does not come from a master. */
export function fromWire(error: ConnectError): MillraceError | undefined {
  const detail = error.findDetails(ErrorDetailSchema)[0];
  if (detail === undefined) return undefined;
  const code: ErrorCode = isErrorCode(detail.code) ? detail.code : "io-error";
  const retry: Retry = detail.retry === "same" || detail.retry === "elsewhere" ? detail.retry : "never";
  const leader = detail.leader === "" ? undefined : detail.leader;
  return new MillraceError(code, error.rawMessage, { retry, leader, cause: error });
}
