// Whether masters of one store have the same tokens. Workers derive the keys of jobs from theirs, so a successor with
// others could not be reached by anybody. The store holds digests of the tokens that its leader accepts:
//
//   tokens/<scope>    SHA-256 of each, in hexadecimal, one per line
//
// One that is shared per scope is enough, which leaves time to change them: both are in all files for a while.
import { MillraceError } from "../base/error.ts";
import type { Clock } from "../base/system/clock.ts";
import { digestOf } from "../rpc/access/token-digest.ts";
import { type TokenScope, type Tokens, tokenScopes } from "../rpc/access/tokens.ts";
import type { Change, StoredRecord } from "../state/store.ts";
import type { Master } from "./master.ts";

export const tokensPrefix = "tokens/";
/** Time between two looks at the files of a master that leads. */
const lookMs = 2_000;

/** By scope, as they are stored. A scope whose file can't be read now has none. */
export type TokenDigests = ReadonlyMap<TokenScope, string>;

export function digestsOf(tokens: Tokens, now?: number): TokenDigests {
  const digests = tokenScopes.map((scope) => {
    const all = tokens.all(scope, now).map((token) => digestOf(`millrace token\0${token.reveal()}`).toString("hex"));
    return [scope, all.join("\n")] as const;
  });
  return new Map(digests.filter(([, lines]) => lines !== ""));
}

/** Throws `no-access` where a scope has tokens of its own only. `directory` is for the message. */
export function checkSameTokens(
  records: Iterable<StoredRecord>,
  own: TokenDigests,
  directory: string,
): readonly Change[] {
  const stored = new Map<string, string>();
  for (const { key, value } of records)
    if (key.startsWith(tokensPrefix)) stored.set(key.slice(tokensPrefix.length), Buffer.from(value).toString());
  for (const scope of tokenScopes) {
    const known = stored.get(scope)?.split("\n");
    if (
      known === undefined ||
      own
        .get(scope)
        ?.split("\n")
        .some((digest) => known.includes(digest))
    )
      continue;
    throw new MillraceError(
      "no-access",
      `this master may not lead: none of the tokens in ${directory}/${scope} is one of the cluster's. All masters of a store have the same token files: copy the directory of one that has led`,
    );
  }
  return changesOf(own, stored);
}

/** The changes that make the store hold them. */
export function changesOf(own: TokenDigests, stored: ReadonlyMap<string, string>): readonly Change[] {
  return [...own]
    .filter(([scope, lines]) => stored.get(scope) !== lines)
    .map(([scope, lines]) => ({ put: { key: tokensPrefix + scope, value: Buffer.from(lines) } }));
}

/** While a master leads, the store follows its files: whoever changes tokens need not change masters. */
export function keepDigests(
  master: Pick<Master, "note" | "stopped">,
  tokens: Tokens,
  clock: Clock,
): { readonly close: () => void } {
  const closing = new AbortController();
  const ended = AbortSignal.any([closing.signal, master.stopped]);
  let stored: ReadonlyMap<string, string> = digestsOf(tokens);
  void (async () => {
    while (!ended.aborted) {
      await clock.sleep(lookMs, ended);
      const own = digestsOf(tokens, clock.now());
      const changes = changesOf(own, stored);
      if (ended.aborted || changes.length === 0) continue;
      stored = new Map([...stored, ...own]);
      master.note(changes);
    }
  })();
  return { close: () => closing.abort() };
}
