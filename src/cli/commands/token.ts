// `millrace token new`: makes the token files that all masters of a cluster have.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { createTokens, tokenScopes } from "../../rpc/access/tokens.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

export function tokenCommand(_what: "new", directory: string, { json }: { readonly json: boolean }): void {
  const path = resolve(directory);
  const there = tokenScopes.find((scope) => existsSync(join(path, scope)));
  if (there !== undefined) {
    throw new MillraceError(
      "wrong-usage",
      `${printable(path)} has tokens already (${there}), which may be in use: give another directory, or remove them first`,
    );
  }
  createTokens(path);
  const print = linePrinter();
  if (json) print(JSON.stringify({ event: "tokens", directory: path, files: tokenScopes }));
  else
    print(
      `made ${tokenScopes.join(", ")} in ${printable(path)}: copy them to each master (--tokens), and worker to each worker`,
    );
}
