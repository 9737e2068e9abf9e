import { describe, expect, it } from "vitest";
import { digestOfBody, signRequest } from "../rpc/access/signature.ts";
import { checkHello, ourVersions } from "./versions.ts";

describe("versions", () => {
  it("fault 30: whose signatures are of another form is refused by its version, before it signs anything", () => {
    // Protocol 1 signed neither body nor host; the package's version was the same.
    const hello = { ...ourVersions, role: "worker", worker: "w-7", protocol: 1 } as const;
    expect(() => checkHello(hello)).toThrow(
      expect.objectContaining({
        code: "not-supported",
        message: expect.stringMatching(
          /^this worker w-7 has protocol 1 \(millrace .*\), the master 2 .*: install the same version of millrace on both$/,
        ),
      }),
    );
  });

  it("what is signed belongs to the version of the protocol: another form of it is another version", () => {
    const request = {
      method: "POST",
      path: "/v1/segments/j",
      query: "a=b",
      address: "http://10.0.0.7:7071",
      body: digestOfBody("pages"),
    };
    const signed = signRequest("0123456789abcdef".repeat(4), request, new Date(1_700_000_000_000));
    expect({ protocol: ourVersions.protocol, ...signed }).toEqual({
      protocol: 2,
      "x-millrace-body": "bfa062de040f55a15ce910800757061ec3d2fc31d6b7c72d9fa02b75a9ad1133",
      "x-millrace-expires": "1700000120",
      "x-millrace-signature": "952b095a6dec886d5be22a0978b741732307695b6fcb03db95208caf380e2e60",
    });
  });
});
