// Parameters of a job, as types. `parse/params.ts` reads their declaration, `params/read.ts` what a caller gives.

/** The declaration of one parameter. */
export type Param = ParamOf<"string", string> | ParamOf<"number", number> | ParamOf<"boolean", boolean>;
type ParamOf<Name, T> = {
  /** The parameter's type: "string", "number" or "boolean". */
  readonly type: Name;
  /**
   * Its value where the caller gives none. Left out: the parameter must be given, or the job is refused with
   * `wrong-params`.
   */
  readonly default?: T;
  /**
   * What it is for, shown by `millrace run JOB --help` and where a parameter is missing or wrong. Default: nothing is
   * shown.
   */
  readonly about?: string;
};
/** How a job declares its parameters: a table of them by name, or a Standard Schema of an object. */
export type Params = StandardSchema | { readonly [name: string]: Param };

/** A job's parameters as `ctx.params` shows them. */
export type ParamsRead<P> = P extends StandardSchema ? SchemaOutput<P> : { readonly [N in keyof P]: ParamType<P[N]> };
/** A job's parameters as a caller gives them: those with a default may be left out. */
export type ParamsGiven<P> = P extends StandardSchema
  ? SchemaInput<P>
  : Flat<
      { readonly [N in keyof P as P[N] extends HasDefault ? never : N]: ParamType<P[N]> } & {
        readonly [N in keyof P as P[N] extends HasDefault ? N : never]?: ParamType<P[N]>;
      }
    >;
type HasDefault = { readonly default: unknown };
type Flat<T> = { [K in keyof T]: T[K] } & {}; // `& {}` makes editors show the fields
type ParamType<T> = T extends { readonly type: infer Name extends keyof ParamTypes } ? ParamTypes[Name] : never;
type ParamTypes = { string: string; number: number; boolean: boolean };

/**
 * What the schemas of zod, valibot, arktype and others share: the part of `@standard-schema/spec` that is needed here.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The schema, as standardschema.dev defines it. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Validates a value: returns `{ value }` or `{ issues }`, or a promise of one of them where that is allowed. */
    readonly validate: (value: unknown) => unknown;
    /** The schema's types. They exist for the compiler only, so the property is left out at run time. */
    readonly types?:
      | {
          /** What the schema takes. */
          readonly input: Input;
          /** What it makes of it. */
          readonly output: Output;
        }
      | undefined;
  };
}
/** What a schema takes. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];
/** What a schema makes of what it takes. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];
