// Decides when a process may listen, and with which certificates (S4, S20). TLS 1.3 of Node is the only encryption.
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { MillraceError, systemCode } from "../../base/error.ts";
import { isLoopbackName } from "../server/gate.ts";
import type { TlsFiles } from "../server/http.ts";

/** Throws `wrong-usage` where others could reach this process without a token, or read its traffic. */
export function assertSafeToListen({
  host,
  tls,
  hasTokens,
}: {
  readonly host: string;
  readonly tls: TlsFiles | undefined;
  readonly hasTokens: boolean;
}): void {
  if (!hasTokens) throw new MillraceError("wrong-usage", "nothing listens without a token: the token files are empty");
  if (isLoopbackName(host) || tls !== undefined) return;
  throw new MillraceError(
    "wrong-usage",
    `listening on ${host} lets other machines reach this process, and that is refused without TLS, because tokens and data would cross the network readably: give --tls-cert FILE and --tls-key FILE, or listen on 127.0.0.1`,
  );
}

/** Reads certificate and key. Throws `wrong-usage`, naming the file. */
export function serverTls({ cert, key }: TlsFiles): SecureContextOptions {
  return checked(
    { cert: pem(cert, "--tls-cert"), key: pem(key, "--tls-key"), minVersion: "TLSv1.3" },
    `${cert}, ${key}`,
  );
}

/**
 * A caller's TLS settings. `ca` is the authority that signed the server's certificate; undefined: those of this system.
 */
export function clientTls(ca: string | undefined): SecureContextOptions {
  if (ca === undefined) return { minVersion: "TLSv1.3" };
  return checked({ ca: pem(ca, "--ca"), minVersion: "TLSv1.3" }, ca);
}

function pem(path: string, option: string): Buffer {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    throw new MillraceError("wrong-usage", `${option} ${path} can't be read: ${systemCode(error)}`, { cause: error });
  }
  if (content.includes("-----BEGIN ")) return content;
  throw new MillraceError("wrong-usage", `${option} ${path} is no PEM file (it lacks a line "-----BEGIN …")`);
}

function checked(options: SecureContextOptions, files: string): SecureContextOptions {
  try {
    createSecureContext(options);
    return options;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MillraceError("wrong-usage", `certificate and key can't be used (${files}): ${why}`, { cause: error });
  }
}
