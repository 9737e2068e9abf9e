import type { LookupAddress } from "node:dns";
import { describe, expect, it } from "vitest";
import { checkWorkerAddress, isReserved, workerLookup } from "./worker-address.ts";

const never = [
  "0.0.0.0",
  "0.1.2.3",
  "169.254.169.254",
  "100.100.100.200",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "fe80::1",
  "febf::1",
  "ff02::1",
  "fd00:ec2::254",
  "fd00:0ec2:0:0::254",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "::169.254.169.254",
  "64:ff9b::169.254.169.254",
  "2002:a9fe:a9fe::1",
];
const possible = [
  "127.0.0.1",
  "10.0.0.5",
  "192.168.1.1",
  "::1",
  "fd00::1",
  "2001:db8::1",
  "::ffff:10.0.0.5",
  "64:ff9b::10.0.0.5",
  "2002:a00:5::1",
];

const urlOf = (host: string) => new URL(`http://${host.includes(":") ? `[${host}]` : host}:7071`).origin;

describe("S23: where a worker can be", () => {
  it.each(never)("%s is no worker's, announced or looked up", (host) => {
    expect(isReserved(host)).toBe(true);
    expect(() => checkWorkerAddress(urlOf(host))).toThrow("a worker can't have the address");
  });

  it.each(possible)("%s may be a worker's, announced or looked up", (host) => {
    expect(isReserved(host)).toBe(false);
    expect(() => checkWorkerAddress(urlOf(host))).not.toThrow();
  });

  it("is no name's matter, and no zone's", () => {
    expect(isReserved("worker-1.lan")).toBe(false);
    expect(isReserved("fe80::1%eth0")).toBe(true);
  });

  it("fault 57: a name that leads to a link-local address is not followed, and others are", async () => {
    const lookup = (name: string, all: boolean) =>
      new Promise<unknown>((resolve) => {
        workerLookup(name, { all }, (error, found: string | LookupAddress[]) => resolve(error?.message ?? found));
      });
    for (const all of [false, true]) {
      expect(await lookup("169.254.169.254", all)).toBe("169.254.169.254 is 169.254.169.254, which no worker has");
      expect(await lookup("fe80::1", all)).toContain("which no worker has");
    }
    expect(await lookup("127.0.0.1", false)).toBe("127.0.0.1");
    expect(await lookup("127.0.0.1", true)).toEqual([{ address: "127.0.0.1", family: 4 }]);
  });
});
