// What a folder of jobs has beside them: `package.json` and `tsconfig.json`, which `millrace init` writes where there
// are none.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../../base/version.ts";
import type { NewFile } from "./files.ts";

/** Both count where they stand in the folder, or in one above it, which is where npm and TypeScript look too. */
export function missingProjectFiles(job: string, folder: string): readonly NewFile[] {
  const files = [
    { name: "package.json", text: packageText(job) },
    { name: "tsconfig.json", text: tsconfigText },
  ];
  return files.filter(({ name }) => !isAbove(folder, name));
}

function isAbove(folder: string, name: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, name))) return true;
    if (dirname(at) === at) return false;
  }
}

function packageText(job: string): string {
  const manifest = {
    name: job,
    private: true,
    type: "module",
    scripts: { test: "millrace test *.test.ts", types: "tsc" },
    dependencies: { millrace: dependency() },
    devDependencies: { "@types/node": ">=20", typescript: ">=5.8" },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/**
 * What npm installs as `millrace`: the folder of this program where it is a clone, and otherwise this version or a
 * later one that is compatible.
 */
function dependency(): string {
  const own = rootOf(fileURLToPath(import.meta.url));
  return own === undefined || /[\\/]node_modules[\\/]/.test(own) ? `^${version}` : `file:${own}`;
}

/** The folder of this package: the nearest one above with a `package.json`. */
function rootOf(path: string): string | undefined {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (existsSync(join(at, "package.json"))) return at;
    if (dirname(at) === at) return undefined;
  }
}

/** As jobs are bundled: whatever the package's own type is, and names of files with their endings. */
const tsconfigText = `{
  "compilerOptions": {
    "target": "es2023",
    "module": "preserve",
    "moduleResolution": "bundler",
    "allowImportingTsExtensions": true,
    "noEmit": true,
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "verbatimModuleSyntax": true,
    "skipLibCheck": true,
    "types": ["node"]
  }
}
`;
