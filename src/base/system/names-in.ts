import { readdirSync } from "node:fs";

/**
 * What lies in a folder of ours; nothing where there is no such folder, as it was not made yet or was removed
 * meanwhile.
 */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
