import { expect, test } from "vitest";
import { hostOf } from "./locality.ts";

test("the host of an address", () => {
  expect(hostOf("http://Node-7:4000")).toBe("node-7");
  expect(hostOf("https://10.0.0.7:4000/")).toBe("10.0.0.7");
  expect(hostOf("http://[::1]:4000")).toBe("::1");
  expect(hostOf("node-7:1")).toBe("node-7");
  expect(hostOf("")).toBe("");
});
