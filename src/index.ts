// The public API of Millrace. What a job needs is loaded immediately; what runs jobs is loaded only when `run` is
// called.

export { run } from "./engine/run/run.ts";
export * from "./job/api.ts";
export type * from "./job/join/types.ts";
export type * from "./job/types.ts";
