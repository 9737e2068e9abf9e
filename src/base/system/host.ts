/** What a program of this package gets from the script that starts it (src/boot.ts). */
export interface Host {
  /** Tells the script that the code which the next process needs too has run. Called once. */
  warmed(): void;
  /** The dynamic import, which code from a code cache can't do by itself. */
  importModule(url: string): Promise<Readonly<Record<string, unknown>>>;
}
