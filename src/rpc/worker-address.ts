// The address that a worker says it can be reached by: others will send requests there, so it can't be just anything (S23).
import { isIP } from "node:net";
import { MillraceError } from "../base/error.ts";

/** Throws `wrong-usage` for what is no "http(s)://host:port", or is a place that only its own machine or cloud should ask. */
export function checkWorkerAddress(address: string): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isPlain =
    url !== undefined &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    (address === url.origin || isDefaultPort(address, url));
  if (!isPlain) {
    throw new MillraceError(
      "wrong-usage",
      `a worker's address is http(s)://host:port, not ${JSON.stringify(address.slice(0, 200))}`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isReserved(host)) {
    throw new MillraceError(
      "wrong-usage",
      `a worker can't have the address ${host}: link-local, multicast and unspecified addresses are not asked`,
    );
  }
}

/** URL drops the port that goes without saying. */
function isDefaultPort(address: string, url: URL): boolean {
  return url.port === "" && address === `${url.origin}:${url.protocol === "https:" ? 443 : 80}`;
}

/** Of an address in digits: nobody else's machine has it. */
export function isReserved(host: string): boolean {
  switch (isIP(host)) {
    case 4: {
      const [a, b] = host.split(".").map(Number) as [number, number];
      return a === 0 || a >= 224 || (a === 169 && b === 254);
    }
    case 6:
      // fe80::/10, ff00::/8, ::, and IPv4 written as IPv6, which would go past the case above.
      return /^(fe[89ab]|ff)/i.test(host) || host === "::" || /^::ffff:/i.test(host);
    default:
      return false;
  }
}
