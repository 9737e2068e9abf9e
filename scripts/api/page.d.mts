import type { Program } from "typescript";

export type Theme = readonly [title: string, text: string, names: readonly string[]];
export function apiPage(
  program: Program,
  entries: readonly string[],
  themes: readonly Theme[],
): { readonly page: string; readonly problems: string[] };
