// What a run was told, checked: its values by the names of the table of run options, from which their types are made.
// `run()` has them in one form, a parsed command line in another, and an engine is given a third.
import type { RunProgress } from "../../job/progress.ts";
import { type OfCommand, type RunOptionName, runOption, runOptionNames, type Table } from "./option-table.ts";

/** What a kind's values are once they are checked. */
export interface Checked {
  readonly count: number;
  readonly size: number;
  readonly duration: number;
  readonly interval: number;
  readonly flag: boolean;
  readonly choice: string;
  readonly output: string;
  readonly folder: string;
  readonly directory: string;
  readonly file: string;
  readonly module: string;
  readonly program: string;
  readonly address: string;
  readonly inputs: readonly string[] | Readonly<Record<string, readonly string[]>>;
  readonly params: unknown;
  readonly paths: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly callback: (progress: RunProgress) => unknown;
}

/** What a run is told, checked. */
export type RunValues = {
  readonly [N in Exclude<RunOptionName, "inputs" | "params">]?: Checked[Table[N]["kind"]] | undefined;
};

/** The attribute of a parsed command line: "param" of `params`. */
type AttributeOf<N extends OfCommand> = Table[N]["flag"] extends { readonly as: infer As extends string } ? As : N;
interface Parsed extends Omit<Checked, "inputs" | "params" | "paths" | "variables"> {
  readonly inputs: ReadonlyMap<string, readonly string[]>;
  readonly params: ReadonlyMap<string, string>;
  readonly paths: ReadonlyMap<string, string>;
  readonly variables: ReadonlyMap<string, string>;
}
/**
 * Those that a parsed command line always has: with a default, or nothing where they may be repeated. Not of `plan`: a
 * cluster's. Not of all commands: what says where settings come from.
 */
type Always = {
  [N in OfCommand]: Table[N]["flag"]["group"] extends "cluster" | "settings"
    ? never
    : Table[N] extends { readonly default: number }
      ? N
      : Table[N]["kind"] extends "flag" | "inputs" | "params" | "paths" | "variables"
        ? N
        : never;
}[OfCommand];

/** As the command line is parsed; every value is checked by then. */
export type RunFlags = {
  readonly [N in Always as AttributeOf<N>]: Parsed[Table[N]["kind"]];
} & {
  readonly [N in Exclude<OfCommand, Always> as AttributeOf<N>]?: Parsed[Table[N]["kind"]];
} & FromFile;

export interface FromFile {
  /** Those whose values come from a file of settings, which is for all jobs: one that does not fit this one is none. */
  readonly fromFile?: ReadonlySet<OfCommand>;
}

/** What a command line says, as `run()` would be told; inputs and parameters depend on the job and go by themselves. */
export function valuesOfFlags(flags: Partial<RunFlags> & Pick<RunFlags, "file" | "env">): RunValues {
  const { file, env, param: _, input: __, fromFile: ___, ...same } = flags;
  return { ...same, files: Object.fromEntries(file), env: Object.fromEntries(env) };
}

/** The attribute of a parsed command line that an option is. */
export function attributeOf(name: OfCommand): keyof RunFlags {
  return (runOption(name).flag?.as ?? name) as keyof RunFlags;
}

/**
 * The first option that was given and is for the other kind of run: it would be without effect, and whoever gave it
 * would not know.
 */
export function misplacedOption(values: RunValues): RunOptionName | undefined {
  const kind = values.master === undefined ? "here" : "cluster";
  return runOptionNames.find((name) => {
    const { only } = runOption(name);
    const value = (values as Readonly<Record<string, unknown>>)[name];
    return only !== undefined && only !== kind && value !== undefined && value !== false;
  });
}

type Submitted = { [N in RunOptionName]: Table[N] extends { readonly submit: string } ? N : never }[RunOptionName];
/** What goes to the engine as it is, under its names: a part of `SubmitOptions`. */
export type SubmitValues = {
  readonly [N in Submitted as Table[N]["submit"]]?: Checked[Table[N]["kind"]];
};

export function submitValues(values: RunValues): SubmitValues {
  const submitted: Record<string, unknown> = {};
  for (const name of runOptionNames) {
    const { submit } = runOption(name);
    const value = (values as Readonly<Record<string, unknown>>)[name];
    if (submit !== undefined && value !== undefined) submitted[submit] = value;
  }
  return submitted;
}

/** What opening an engine takes of them, here and on a cluster. */
export function openingOf(values: RunValues) {
  const { slots, memory: memoryBytes, env: environment, attempts, overwrite, resume, resumeOrBegin, workDir } = values;
  return { slots, memoryBytes, environment, attempts, overwrite, resume, resumeOrBegin, workDir };
}
