// Credentials and address of an object store, from the environment of the command, master or worker, under the names
// that Amazon's own tools use. A slot's environment is clean; the slot gets them through its pipe
// (worker/slots/slot.ts).
import { Secret } from "../../base/value/secret.ts";

export interface S3Access {
  /** The base URL of a store that isn't Amazon's; undefined: Amazon's store in the region. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  /** The token of temporary credentials. */
  readonly sessionToken: Secret | undefined;
}

/** Returns undefined where the environment has no keys. */
export function s3AccessFrom(environment: Readonly<Record<string, string | undefined>>): S3Access | undefined {
  const value = (...names: readonly string[]) => names.map((name) => environment[name]).find((text) => text);
  const accessKeyId = value("AWS_ACCESS_KEY_ID");
  const secretAccessKey = value("AWS_SECRET_ACCESS_KEY");
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = value("AWS_SESSION_TOKEN");
  return {
    endpoint: value("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    region: value("AWS_REGION", "AWS_DEFAULT_REGION") ?? "us-east-1",
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: sessionToken === undefined ? undefined : new Secret(sessionToken),
  };
}

/** An access as its text has it. */
interface PackedAccess extends Omit<S3Access, "secretAccessKey" | "sessionToken"> {
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/** The access as one text, which only `unpackAccess` reads. */
export function packAccess({ secretAccessKey, sessionToken, ...others }: S3Access): Secret {
  const packed: PackedAccess = {
    ...others,
    secretAccessKey: secretAccessKey.reveal(),
    sessionToken: sessionToken?.reveal(),
  };
  return new Secret(JSON.stringify(packed));
}

/** The access that `packAccess` made a text of. */
export function unpackAccess(packed: Secret): S3Access {
  const { endpoint, region, accessKeyId, secretAccessKey, sessionToken }: PackedAccess = JSON.parse(packed.reveal());
  return {
    endpoint,
    region,
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: sessionToken === undefined ? undefined : new Secret(sessionToken),
  };
}
