// fast-check with the seed of this run (vitest.config.ts): tests that import "fast-check" get this module.
import fc from "fast-check";

const seed = process.env["MILLRACE_PROPERTIES"];
if (seed !== undefined && seed !== "random") fc.configureGlobal({ seed: Number(seed) });

export * from "fast-check";
export default fc;
