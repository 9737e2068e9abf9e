// Which programs can run this one. Other runtimes claim to be Node and then fail where slots are started, with messages
// about everything but the reason.
import { MillraceError } from "../error.ts";

/** Throws `not-supported` in a runtime that is not Node, and says what to do. */
export function refuseOtherRuntimes(versions: Readonly<Record<string, string | undefined>> = process.versions): void {
  for (const [name, version] of [
    ["Bun", versions["bun"]],
    ["Deno", versions["deno"]],
  ] as const) {
    if (version === undefined) continue;
    throw new MillraceError(
      "not-supported",
      `Millrace needs Node 20.19 or later, and this is ${name} ${version}: its slots are processes of Node. Install packages with ${name} if you like, and run  node ./node_modules/millrace/bin/millrace.js  (or your own program) with node`,
    );
  }
  if (versions["pnp"] !== undefined) {
    throw new MillraceError(
      "not-supported",
      "Millrace can't be run from Yarn Plug'n'Play, which keeps packages in archives that no slot's process can be started from: write  nodeLinker: node-modules  to .yarnrc.yml (pnpm: node-linker=hoisted to .npmrc) and install again",
    );
  }
}
