import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseEtcd } from "./address.ts";

let folder: string;
let password: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-etcd-address-"));
  password = join(folder, "password");
  writeFileSync(password, "hunter2\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["//a:2379", ["http://a:2379"], "/millrace/"],
  ["//a:2379,B.example:2380,[::1]:1/", ["http://a:2379", "http://b.example:2380", "http://[::1]:1"], "/millrace/"],
  ["//a:1,a:1/teams/data/", ["http://a:1"], "/teams/data/"],
])("etcd:%s is understood", (rest, members, root) => {
  expect(parseEtcd(rest, {})).toMatchObject({ members, root, user: undefined });
});

test.each([
  "",
  "//",
  "a:2379",
  "//a",
  "//a:0",
  "//a:65536",
  "//a:1,",
  "//a:1?x=1",
  "//a:1/p#x",
  "//a b:1",
  "http://a:1",
])("etcd:%s is refused, with the form of an address", (rest) => {
  expect(() => parseEtcd(rest, {})).toThrow(
    expect.objectContaining({ code: "wrong-usage", message: expect.stringContaining("etcd://HOST:PORT") }),
  );
});

test.each(["//root:hunter2@a:2379", "//a:2379/x@hunter2"])(
  "etcd:%s is refused without repeating what may be secret",
  (rest) => {
    const refused = () => parseEtcd(rest, {});
    expect(refused).toThrow(expect.objectContaining({ message: expect.stringContaining("--state-password-file") }));
    expect(refused).not.toThrow(expect.objectContaining({ message: expect.stringContaining("hunter2") }));
  },
);

test("the password is the file's content without its line end, and can't be printed by accident", () => {
  const { user } = parseEtcd("//127.0.0.1:1", { stateUser: "me", statePasswordFile: password });
  expect(user?.password.reveal()).toBe("hunter2");
  expect(JSON.stringify(user)).not.toContain("hunter2");
});

test("a password goes to another machine by TLS only", () => {
  const options = { stateUser: "me", statePasswordFile: password };
  expect(() => parseEtcd("//127.0.0.1:1,etcd1:1", options)).toThrow(
    expect.objectContaining({ code: "wrong-usage", message: expect.stringContaining("http://etcd1:1 readably") }),
  );
  expect(() => parseEtcd("//localhost:1,[::1]:2,127.1.2.3:3", options)).not.toThrow();
});

test.each([
  [{ stateUser: "me" }, "belong together"],
  [{ statePasswordFile: "x" }, "belong together"],
  [{ stateCert: "x" }, "belong together"],
  [{ stateKey: "x" }, "belong together"],
  [{ stateCa: "/nowhere/ca.pem" }, "/nowhere/ca.pem can't be read: ENOENT"],
  [{ stateUser: "me", statePasswordFile: "/nowhere/password" }, "/nowhere/password can't be read: ENOENT"],
])("%j is refused", (options, words) => {
  expect(() => parseEtcd("//a:1", options)).toThrow(
    expect.objectContaining({ code: "wrong-usage", message: expect.stringContaining(words) }),
  );
});
