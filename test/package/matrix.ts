// How the package is installed, on which Node it runs, and with which settings its types are read: each pair of values
// of two of these dimensions occurs in at least one of 24 runs (matrix.test.ts). Six installers on four Nodes are 24
// pairs, so it can't be fewer; the settings are six combinations, so that a compiler has to start six times only.

/** What `npm install FILE` and its likes are tried with. */
export const installers = ["npm", "pnpm", "yarn", "workspaces", "folder", "link"] as const;
export type Installer = (typeof installers)[number];

/** Major versions of Node. */
export const nodes = ["20", "22", "24", "26"] as const;

/** What one who has just installed the package reads and types: performed with it, in place of with the checkout. */
export const pagesWherePackageIs: readonly string[] = ["README.md", "docs/recipes.md", "docs/coming-from.md"];

export interface TypeSettings {
  readonly module: "node16" | "nodenext" | "bundler";
  readonly strict: boolean;
  readonly exactOptionalPropertyTypes: boolean;
  readonly verbatimModuleSyntax: boolean;
}

const settings: readonly TypeSettings[] = [
  { module: "node16", strict: true, exactOptionalPropertyTypes: true, verbatimModuleSyntax: true },
  { module: "node16", strict: false, exactOptionalPropertyTypes: false, verbatimModuleSyntax: false },
  { module: "nodenext", strict: true, exactOptionalPropertyTypes: false, verbatimModuleSyntax: true },
  { module: "nodenext", strict: false, exactOptionalPropertyTypes: true, verbatimModuleSyntax: false },
  { module: "bundler", strict: true, exactOptionalPropertyTypes: true, verbatimModuleSyntax: false },
  { module: "bundler", strict: false, exactOptionalPropertyTypes: false, verbatimModuleSyntax: true },
];

export interface Run {
  readonly installer: Installer;
  readonly node: string;
  readonly types: TypeSettings;
}

/** Each node's runs have all settings, and each installer's four runs have every value of each. */
const steps = [0, 1, 2, 4];
export const runs: readonly Run[] = installers.flatMap((installer, row) =>
  nodes.map((node, column) => ({ installer, node, types: settings[(row + steps[column]!) % settings.length]! })),
);

/** The `compilerOptions` of a project that has these settings, and is otherwise as strict as can be. */
export function compilerOptions({ module, ...others }: TypeSettings): object {
  return {
    ...(module === "bundler" ? { module: "esnext", moduleResolution: "bundler" } : { module }),
    ...others,
    // What exactOptionalPropertyTypes asks for.
    ...(others.exactOptionalPropertyTypes && { strictNullChecks: true }),
    target: "es2022",
    // Neither the DOM's types nor Node's.
    lib: ["es2023"],
    types: [],
    skipLibCheck: false,
    allowImportingTsExtensions: true,
    noEmit: true,
  };
}
