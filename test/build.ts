import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds `dist/` when it is older than the sources: process tests start the product as a user does. */
export default function setup(): void {
  if (process.env["MILLRACE_NO_BUILD"] === "1") return;
  execFileSync(process.execPath, [fileURLToPath(new URL("../scripts/build.mjs", import.meta.url)), "--if-stale"], {
    stdio: "inherit",
  });
}
