// Parses a cluster's address.
import { MillraceError } from "../../base/error.ts";

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
