import { excerptOf } from "../../base/excerpt.ts";
import { wrong } from "../check.ts";

/** Throws `wrong-job` for a name that an object would not keep in its place, or not as a property like any other. */
export function checkFieldName(what: string, name: string): void {
  if (name === "" || name === "__proto__" || /^(?:0|[1-9]\d*)$/.test(name)) {
    throw wrong(
      `${what}: the name ${excerptOf(name)} can't be used: objects put whole numbers first, and columns need a name`,
    );
  }
}
