import { fileURLToPath } from "node:url";

/** The program that a slot is: `dist/slot.js`, beside the bundle that this file is part of, or beside its folder of chunks. */
export const slotProgram = fileURLToPath(
  new URL(import.meta.url.includes("/chunks/") ? "../slot.js" : "./slot.js", import.meta.url),
);
