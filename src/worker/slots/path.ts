import { fileURLToPath } from "node:url";

/** The program that a slot is: `dist/slot.cjs`, beside the bundle that this file is part of, or beside its folder. */
export const slotProgram = fileURLToPath(
  new URL(/\/(?:chunks|program)\/[^/]*$/.test(import.meta.url) ? "../slot.cjs" : "./slot.cjs", import.meta.url),
);
