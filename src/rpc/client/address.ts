// Parses a cluster's address, or the addresses of its masters, of which one leads at a time:
// "http://a:7070,http://b:7070".
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";

/** The addresses of a list, each once and without a slash at its end, in their order. Throws `wrong-usage`. */
export function parseAddresses(list: string): readonly [string, ...string[]] {
  const words = list.split(",").map((word) => word.trim());
  if (words.length > limits.mastersMax) {
    throw new MillraceError(
      "wrong-usage",
      `${words.length} addresses are too many: a cluster has at most ${limits.mastersMax} masters`,
    );
  }
  const [first, ...others] = new Set(words.map((word) => parseAddress(word).origin));
  return [first!, ...others];
}

/** An address as it is given on command lines. Throws `wrong-usage`. */
export function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    throw new MillraceError(
      "wrong-usage",
      `${JSON.stringify(address)} is not an address: write it like http://127.0.0.1:7070 or https://master.example:7070`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new MillraceError("wrong-usage", "an address holds no password or token: give --token-file PATH");
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw new MillraceError("wrong-usage", `${JSON.stringify(address)} has more than a host and a port`);
  }
  return url;
}
