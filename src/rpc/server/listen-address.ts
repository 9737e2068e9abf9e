// The address that a process listens on, as it is given on a command line.
import { MillraceError } from "../../base/error.ts";

export interface Where {
  readonly host: string;
  readonly port: number;
}

/** Parses "127.0.0.1:7070", "[::1]:7070" or "m1.example:7070". Throws `wrong-usage`. */
export function parseListen(text: string): Where {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new MillraceError("wrong-usage", `--listen ${JSON.stringify(text)} is not HOST:PORT, like 127.0.0.1:7070`);
  }
  const [, inBrackets, name = ""] = match;
  return { host: inBrackets ?? name, port };
}
