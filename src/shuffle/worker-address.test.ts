import { expect, it } from "vitest";
import { parseAddress } from "./worker-address.ts";

it("takes an address apart", () => {
  expect(parseAddress("http://127.0.0.1:7071")).toEqual({ isTls: false, host: "127.0.0.1", port: 7071 });
  expect(parseAddress("https://worker-1.lan:443")).toEqual({ isTls: true, host: "worker-1.lan", port: 443 });
  expect(parseAddress("https://[::1]:9")).toEqual({ isTls: true, host: "::1", port: 9 });
});
