// The description of a job, which travels where its code can't be loaded.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { OutputFormat } from "../../format/format.ts";
import type { JobDefinition, ParamDefinition } from "../definition.ts";

/**
 * What can be said about a job without its code: plain data that travels as JSON, for the command line, the master and
 * people.
 */
export interface JobDescription {
  readonly name: string;
  /** The file URL or path of the module that called `defineJob`; in a slot it is the bundle's. */
  readonly module?: string | undefined;
  /** One entry, named "", where the job has one input. */
  readonly inputs: readonly { readonly name: string }[];
  /** `main` comes first. The extensions are the formats'; `compress` adds its own. */
  readonly outputs: readonly {
    readonly name: string;
    readonly extension: string;
    /** Bytes at the beginning of each part file that standard output should have only once. */
    readonly headerBytes: number;
  }[];
  readonly outputsNamed: boolean;
  /** undefined: by input size. 0: map-only. */
  readonly reducers?: number | undefined;
  readonly mapOnly: boolean;
  readonly params: ParamsDescription;
  /** Side files, with their paths as written in the job. */
  readonly files: readonly { readonly name: string; readonly path: string }[];
  readonly compress?: "gzip" | "zstd" | undefined;
  readonly nondeterministic: "rerun" | "fail";
  readonly partition: "hash" | "range" | "function";
  /** The number of parts of the tuple key that group. */
  readonly group?: number | undefined;
  readonly combine?: "sum" | "min" | "max" | "function" | undefined;
  readonly hasReduce: boolean;
}

export type ParamsDescription =
  | { readonly kind: "table"; readonly params: readonly ({ readonly name: string } & ParamDefinition)[] }
  /** A schema says what it takes only by refusing. */
  | { readonly kind: "schema" };

export function describeJob(definition: JobDefinition): JobDescription {
  const { params } = definition;
  return {
    name: definition.name,
    module: definition.module,
    inputs: definition.inputs.map(({ name }) => ({ name })),
    outputs: definition.outputs.map(({ name, format }) => ({
      name,
      extension: format.extension,
      headerBytes: headerBytes(format),
    })),
    outputsNamed: definition.outputsNamed,
    reducers: definition.reducers,
    mapOnly: definition.reducers === 0,
    params:
      params.kind === "schema"
        ? { kind: "schema" }
        : { kind: "table", params: [...params.params].map(([name, param]) => ({ name, ...param })) },
    files: [...definition.files].map(([name, path]) => ({ name, path })),
    compress: definition.compress,
    nondeterministic: definition.nondeterministic,
    partition: definition.partition.kind,
    group: definition.group?.parts,
    combine: definition.combine?.kind,
    hasReduce: definition.reduce !== undefined,
  };
}

function headerBytes(format: OutputFormat<unknown>): number {
  const header = new ByteBuffer();
  format.header?.(header);
  return header.length;
}
