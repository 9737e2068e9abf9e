import type { LookupAddress } from "node:dns";
import { expect, it } from "vitest";
import { guardedLookup, parseAddress } from "./worker-address.ts";

it("takes an address apart", () => {
  expect(parseAddress("http://127.0.0.1:7071")).toEqual({ isTls: false, host: "127.0.0.1", port: 7071 });
  expect(parseAddress("https://worker-1.lan:443")).toEqual({ isTls: true, host: "worker-1.lan", port: 443 });
  expect(parseAddress("https://[::1]:9")).toEqual({ isTls: true, host: "::1", port: 9 });
});

it("S23: a name that leads to a link-local address is not followed, and others are", async () => {
  const lookup = (name: string, all: boolean) =>
    new Promise<unknown>((resolve) => {
      guardedLookup(name, { all }, (error, found: string | LookupAddress[]) => resolve(error?.message ?? found));
    });
  for (const all of [false, true]) {
    expect(await lookup("169.254.169.254", all)).toBe("169.254.169.254 is 169.254.169.254, which no worker has");
    expect(await lookup("fe80::1", all)).toContain("which no worker has");
  }
  expect(await lookup("127.0.0.1", false)).toBe("127.0.0.1");
  expect(await lookup("127.0.0.1", true)).toEqual([{ address: "127.0.0.1", family: 4 }]);
});
