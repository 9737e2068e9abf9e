// The storages by the schemes of their URLs: one table. Another storage is an entry here and a folder; nothing else in
// the product knows a scheme, an access or a token.
import type { AttemptId } from "../base/ids.ts";
import { isUrl } from "../base/paths.ts";
import type { Clock } from "../base/system/clock.ts";
import type { Secret } from "../base/value/secret.ts";
import { packAccess, s3AccessFrom, unpackAccess } from "./s3/access.ts";
import { isStagedOnS3 } from "./s3/names.ts";
import { createS3Storage } from "./s3/s3.ts";
import type { StagedFile, Storage } from "./storage.ts";

/**
 * What a storage needs to let this process in, as a text that only the storage reads. It goes to slots on their pipe
 * (S25), and can't be printed.
 */
export type Access = Secret;

export interface SchemeOptions {
  /** The access, asked for whenever it is needed; undefined where there is none. */
  readonly access: () => Access | undefined;
  /** Where output files are kept until they are uploaded. */
  readonly spoolDirectory: () => string;
  readonly clock: Clock;
  readonly random: () => number;
}

interface Scheme {
  /** In a message that names what there is: "object stores (s3://BUCKET/KEY)". */
  readonly called: string;
  open(options: SchemeOptions): Storage;
  /** The access that an environment names. Left out: the storage needs none. */
  accessFrom?(environment: Readonly<Record<string, string | undefined>>): Access | undefined;
  /**
   * Whether the token of a staged file is that attempt's. Masters and agents ask it of what attempts report, so it may
   * be any text: false, never an exception.
   */
  isStagedBy(attempt: AttemptId, destination: string, file: StagedFile): boolean;
}

export const schemes: Readonly<Record<string, Scheme>> = {
  s3: {
    called: "object stores (s3://BUCKET/KEY)",
    open: ({ access, ...others }) => createS3Storage({ ...others, access: unpacked(access) }),
    accessFrom: (environment) => {
      const access = s3AccessFrom(environment);
      return access && packAccess(access);
    },
    isStagedBy: isStagedOnS3,
  },
};

/** The scheme of a URL, in lower case; undefined for a path of a file system. */
export function schemeOf(path: string): string | undefined {
  return isUrl(path) ? path.slice(0, path.indexOf(":")).toLowerCase() : undefined;
}

/** Access by scheme. */
export type AccessByScheme = Readonly<Record<string, Access>>;

/** Commands that load a job's code into their own process remove its environment first. */
const atStart = accessIn(process.env);

/** This process's access: what its environment says now, or said when the process was started. */
export function ownAccess(scheme: string): Access | undefined {
  return schemes[scheme]?.accessFrom?.(process.env) ?? atStart[scheme];
}

/** This process's access to the storages of these paths, and to no others. */
export function accessFor(paths: readonly string[]): AccessByScheme {
  const access: Record<string, Access> = {};
  for (const path of paths) {
    const scheme = schemeOf(path);
    if (scheme === undefined || !Object.hasOwn(schemes, scheme)) continue;
    const own = ownAccess(scheme);
    if (own !== undefined) access[scheme] = own;
  }
  return access;
}

function accessIn(environment: Readonly<Record<string, string | undefined>>): AccessByScheme {
  const found = Object.entries(schemes).map(([scheme, { accessFrom }]) => [scheme, accessFrom?.(environment)] as const);
  return Object.fromEntries(found.filter((entry): entry is readonly [string, Access] => entry[1] !== undefined));
}

function unpacked(access: () => Access | undefined) {
  return () => {
    const packed = access();
    return packed && unpackAccess(packed);
  };
}
