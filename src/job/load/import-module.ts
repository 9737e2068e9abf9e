// The dynamic import of a user's module. Code that came from a code cache can't import by itself (Node 20 loses the
// callback by which V8 asks for modules), so the programs provide the import of the small script that started them
// (boot.ts).

export type ImportModule = (url: string) => Promise<Readonly<Record<string, unknown>>>;

let importer: ImportModule = (url) => import(url);

export function importModule(url: string): Promise<Readonly<Record<string, unknown>>> {
  return importer(url);
}

/** Sets the import for this process, from now on. */
export function importBy(given: ImportModule): void {
  importer = given;
}
