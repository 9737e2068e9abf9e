// The versions that must agree between a master and its callers (fault 30), because the output depends on them: what
// `\p{L}` matches and how `Intl` sorts come with Node's ICU.
import { MillraceError } from "../base/error.ts";
import { version } from "../base/version.ts";
import { type Hello, protocolVersion } from "./services.ts";

type Versions = Pick<Hello, "protocol" | "millrace" | "nodeMajor" | "icu">;

export const ourVersions: Versions = {
  protocol: protocolVersion,
  millrace: version,
  nodeMajor: Number(process.versions.node.split(".")[0]),
  icu: process.versions.icu ?? "none",
};

/** At the master. Throws `not-supported`, naming both versions and what to do. */
export function checkHello(hello: Hello, ours: Versions = ourVersions): void {
  const who = hello.role === "worker" ? `worker ${hello.worker ?? ""}`.trimEnd() : "command";
  const refuse = (what: string, theirs: string, mine: string, todo: string) => {
    throw new MillraceError("not-supported", `this ${who} has ${what} ${theirs}, the master ${mine}: ${todo}`);
  };
  if (hello.protocol !== ours.protocol) {
    refuse(
      "protocol",
      `${hello.protocol} (millrace ${hello.millrace})`,
      `${ours.protocol} (millrace ${ours.millrace})`,
      "install the same version of millrace on both",
    );
  }
  if (hello.nodeMajor !== ours.nodeMajor) {
    refuse(
      "Node",
      String(hello.nodeMajor),
      String(ours.nodeMajor),
      "use the same major version of Node on all machines, because text matching and sorting depend on it",
    );
  }
  if (hello.icu !== ours.icu) {
    refuse(
      "Unicode data (ICU)",
      hello.icu,
      ours.icu,
      "use the same build of Node on all machines, because text matching and sorting depend on it",
    );
  }
}
