import type { Theme } from "./page.mjs";

export const themes: readonly Theme[];
