import { describe, expect, test } from "vitest";
import { type StandbyFlags, standbyWords } from "./standby.ts";

const none: StandbyFlags = { standby: false, standbyBesideJobs: false, logLevel: "info" };
const whole: StandbyFlags = {
  standby: true,
  standbyBesideJobs: true,
  state: "etcd://e:2379",
  tokens: "/t",
  blobs: "/b",
  listenMaster: "m:7080",
  logLevel: "warn",
};

describe("a worker that also stands for election", () => {
  test("starts a master with its own certificate, and with what opens the store", () => {
    expect(standbyWords(none)).toBeUndefined();
    const tls = { tlsCert: "c.pem", tlsKey: "k.pem", ca: "ca.pem", advertise: "m" };
    expect(
      standbyWords({ ...whole, ...tls, stateCa: "e.pem", stateUser: "u", statePasswordFile: "p" })?.join(" "),
    ).toBe(
      "master --state etcd://e:2379 --tokens /t --blobs /b --listen m:7080 --state-ca e.pem --state-user u --state-password-file p --advertise m --tls-cert c.pem --tls-key k.pem --ca ca.pem --log-level warn --json --with-parent",
    );
  });

  test("is refused where jobs' code could read the tokens, unless that is said to be fine", () => {
    expect(() => standbyWords({ ...whole, standbyBesideJobs: false })).toThrow(
      /a job could read the tokens .* --standby-beside-jobs where whoever may submit jobs may do that/,
    );
  });

  test.each<[Partial<StandbyFlags>, RegExp]>([
    [{ state: undefined }, /needs --state etcd/],
    [{ state: "/var/state" }, /needs --state etcd/],
    [{ tokens: undefined }, /needs --tokens/],
    [{ blobs: undefined }, /needs --blobs/],
    [{ listenMaster: undefined }, /needs --listen-master/],
  ])("says what is missing: %j", (change, message) => {
    expect(() => standbyWords({ ...whole, ...change })).toThrow(message);
  });

  test.each<[Partial<StandbyFlags>, RegExp]>([
    [{ state: "etcd://e:1" }, /^--state is for a worker with --standby/],
    [{ listenMaster: "m:1" }, /^--listen-master is/],
    [{ stateUser: "u" }, /^--state-user is/],
    [{ standbyBesideJobs: true }, /^--standby-beside-jobs is/],
  ])("is not begun by half: %j", (change, message) => {
    expect(() => standbyWords({ ...none, ...change })).toThrow(message);
  });
});
