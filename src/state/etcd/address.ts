// Where a state store of etcd is, and how it is reached: what a URL and options say, checked before anything is called.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { MillraceError, systemCode } from "../../base/error.ts";
import { Secret } from "../../base/value/secret.ts";

export interface EtcdOptions {
  /** PEM file of the authority that signed the members' certificates. With it, or a certificate, calls use TLS 1.3. */
  readonly stateCa?: string | undefined;
  /** PEM files by which this process shows who it is, where etcd asks for that. */
  readonly stateCert?: string | undefined;
  readonly stateKey?: string | undefined;
  /** A user of etcd, and the file that holds nothing but the password. */
  readonly stateUser?: string | undefined;
  readonly statePasswordFile?: string | undefined;
  /** A leader that is not heard for this long has lost its leadership. In ms, whole seconds. Default 5,000. */
  readonly leaseMs?: number;
}

export interface EtcdAddress {
  /** Origins of the members, such as "https://etcd1:2379", in the order in which they are tried. */
  readonly members: readonly string[];
  /** What all keys begin with: "/" at both ends. */
  readonly root: string;
  readonly tls: SecureContextOptions;
  readonly user: { readonly name: string; readonly password: Secret } | undefined;
}

/** `rest` is what follows "etcd:" in a URL. Throws `wrong-usage`, without repeating what may be secret. */
export function parseEtcd(rest: string, options: EtcdOptions): EtcdAddress {
  if (rest.includes("@")) {
    throw wrong("there is a name or a password in it: give --state-user NAME and --state-password-file FILE instead");
  }
  const [, hosts = "", path = ""] = /^\/\/([^/?#]*)(\/[^?#]*)?$/.exec(rest) ?? [];
  if (hosts === "") throw wrong("it names no member");
  const isEncrypted = options.stateCa !== undefined || options.stateCert !== undefined;
  const members = hosts.split(",").map((host) => memberOf(host, isEncrypted ? "https" : "http"));
  const name = path.replace(/^\/+|\/+$/g, "");
  const user = userOf(options);
  const remote = members.find((member) => !isLoopback(new URL(member).hostname));
  if (user !== undefined && !isEncrypted && remote !== undefined) {
    throw new MillraceError(
      "wrong-usage",
      `the password of ${user.name} would cross the network to ${remote} readably: give --state-ca FILE, so that calls use TLS`,
    );
  }
  return { members: [...new Set(members)], root: `/${name === "" ? "millrace" : name}/`, tls: tlsOf(options), user };
}

function memberOf(host: string, scheme: "http" | "https"): string {
  const [, name = "", port = ""] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})$/i.exec(host) ?? [];
  if (name === "" || Number(port) < 1 || Number(port) > 65_535) throw wrong("a member is HOST:PORT");
  return `${scheme}://${name.toLowerCase()}:${Number(port)}`;
}

function wrong(why: string): MillraceError {
  return new MillraceError("wrong-usage", `the address of the state store is not understood: ${why}. ${form}`);
}

const form =
  "It is etcd://HOST:PORT,HOST:PORT/PREFIX, with one or more members; without a prefix keys begin with /millrace/";

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || (isIP(host) === 4 && host.startsWith("127."));
}

function userOf({ stateUser, statePasswordFile }: EtcdOptions): EtcdAddress["user"] {
  if (stateUser === undefined && statePasswordFile === undefined) return undefined;
  if (stateUser === undefined || statePasswordFile === undefined) {
    throw new MillraceError(
      "wrong-usage",
      "--state-user and --state-password-file belong together: give both, or none",
    );
  }
  const password = read(statePasswordFile, "--state-password-file")
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (password === "") throw new MillraceError("wrong-usage", `--state-password-file ${statePasswordFile} is empty`);
  return { name: stateUser, password: new Secret(password) };
}

function tlsOf({ stateCa, stateCert, stateKey }: EtcdOptions): SecureContextOptions {
  if ((stateCert === undefined) !== (stateKey === undefined)) {
    throw new MillraceError("wrong-usage", "--state-cert and --state-key belong together: give both, or none");
  }
  const tls: SecureContextOptions = {
    minVersion: "TLSv1.3",
    ...(stateCa === undefined ? {} : { ca: read(stateCa, "--state-ca") }),
    ...(stateCert === undefined ? {} : { cert: read(stateCert, "--state-cert") }),
    ...(stateKey === undefined ? {} : { key: read(stateKey, "--state-key") }),
  };
  try {
    createSecureContext(tls);
    return tls;
  } catch (error) {
    const files = [stateCa, stateCert, stateKey].filter((file) => file !== undefined).join(", ");
    const why = error instanceof Error ? error.message : String(error);
    throw new MillraceError("wrong-usage", `certificate and key can't be used (${files}): ${why}`, { cause: error });
  }
}

function read(path: string, option: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MillraceError("wrong-usage", `${option} ${path} can't be read: ${systemCode(error)}`, { cause: error });
  }
}
