// Checks the address by which a worker says it can be reached: others will send requests there, so it must not lead to
// just any server (S23). This is the one list of addresses that no worker can have. The address that a worker announces
// is checked, and, because a name may lead elsewhere later, the address that the name has whenever a connection is
// made.
import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { MillraceError } from "../../base/error.ts";

/**
 * Addresses where no worker can be: link-local (cloud metadata services among them), unspecified, multicast, reserved.
 */
const reserved = new BlockList();
reserved.addSubnet("0.0.0.0", 8, "ipv4");
reserved.addSubnet("169.254.0.0", 16, "ipv4");
reserved.addAddress("100.100.100.200", "ipv4"); // a cloud's metadata service
reserved.addSubnet("224.0.0.0", 3, "ipv4");
reserved.addAddress("::", "ipv6");
reserved.addSubnet("fe80::", 10, "ipv6");
reserved.addSubnet("ff00::", 8, "ipv6");
reserved.addAddress("fd00:ec2::254", "ipv6"); // another cloud's

/** Throws `wrong-usage` unless the address is "http(s)://host:port" and may be a worker's. */
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
      `a worker can't have the address ${host}: link-local, multicast, unspecified and metadata addresses are not asked`,
    );
  }
}

/** Looks a worker's name up as the system does, and refuses the addresses that `checkWorkerAddress` refuses. */
export const workerLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, found, family) => {
    const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found];
    const refused = error === null ? addresses.find(isReserved) : undefined;
    if (refused === undefined) callback(error, found, family);
    else callback(new MillraceError("unreachable", `${hostname} is ${refused}, which no worker has`), "", 0);
  });
};

/** Whether the address names its scheme's default port, which URL drops. */
function isDefaultPort(address: string, url: URL): boolean {
  return url.port === "" && address === `${url.origin}:${url.protocol === "https:" ? 443 : 80}`;
}

/** Whether a numeric address is one that no worker can have. False for names. */
export function isReserved(host: string): boolean {
  switch (isIP(host)) {
    case 4:
      return reserved.check(host, "ipv4");
    case 6: {
      // A zone ("%eth0") names the interface; only link-local addresses have one.
      const address = host.replace(/%.*$/, "");
      const inside = ipv4Inside(address);
      return inside === undefined ? reserved.check(address, "ipv6") : reserved.check(inside, "ipv4");
    }
    default:
      return false;
  }
}

/**
 * The IPv4 address that an IPv6 one stands for: mapped (::ffff:a.b.c.d), compatible (::a.b.c.d), translated
 * (64:ff9b::a.b.c.d) and 6to4 (2002:AABB:CCDD::). Undefined for others, `::` and `::1` among them.
 */
function ipv4Inside(address: string): string | undefined {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const pair =
    /^(?:::ffff:|::|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$|^2002:([0-9a-f]{1,4}):([0-9a-f]{1,4})(?::|$)/.exec(
      canonical,
    );
  if (pair === null) return undefined;
  const high = Number.parseInt(pair[1] ?? pair[3] ?? "", 16);
  const low = Number.parseInt(pair[2] ?? pair[4] ?? "", 16);
  return [high >>> 8, high & 255, low >>> 8, low & 255].join(".");
}
