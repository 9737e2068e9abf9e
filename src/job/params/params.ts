// Parameters of a job, as types. `parse/params.ts` reads their declaration, `params/read.ts` what a caller gives.

/** A parameter without a default must be given. `about` is shown by `millrace run --help`. */
export type Param = ParamOf<"string", string> | ParamOf<"number", number> | ParamOf<"boolean", boolean>;
type ParamOf<Name, T> = { readonly type: Name; readonly default?: T; readonly about?: string };
export type Params = StandardSchema | { readonly [name: string]: Param };

/** As `ctx.params` shows them. */
export type ParamsRead<P> = P extends StandardSchema ? SchemaOutput<P> : { readonly [N in keyof P]: ParamType<P[N]> };
/** As a caller gives them: those with a default may be left out. */
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

/** What zod, valibot, arktype and others share: the part of `@standard-schema/spec` that is needed here. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}
export type SchemaInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];
export type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];
