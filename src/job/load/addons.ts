// Native addons: machine code in `.node` files, which can't be in a bundle. A package that has one stays where it is
// installed, and the bundle imports it by its absolute path; a `.node` file that the job's own modules import is
// required by its own. Such a bundle runs on this machine only.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { OnResolveArgs, Plugin, PluginBuild } from "esbuild";
import { toHex } from "../../base/bytes/bytes.ts";

/** Packages that look for an addon when they are called: beside the file that calls them. */
const loaders = ["bindings", "node-gyp-build", "node-gyp-build-optional-packages", "@mapbox/node-pre-gyp"] as const;

/** What stays outside of a bundle. */
export interface Outside {
  /** Folders of packages. */
  readonly packages: ReadonlySet<string>;
  /** Folders of packages that have turned out to have an addon: they have to stay outside next time. */
  readonly found: Set<string>;
  /** The `.node` files that modules in the bundle import. */
  readonly files: Set<string>;
}

export function outsideOf(packages: Iterable<string>): Outside {
  return { packages: new Set(packages), found: new Set(), files: new Set() };
}

/** The plugin for the bundle of the module at `entry`. It adds to `outside` what it finds. */
export function addons(entry: string, outside: Outside): Plugin {
  return {
    name: "addons",
    setup(plugin) {
      /** The package of a module, if it is another's and in the bundle yet. */
      const ownerOf = async (path: string) => {
        const owner = await packageOf(path);
        const isOwn = owner === undefined || owner === (await packageOf(entry));
        return isOwn || outside.packages.has(owner) ? undefined : owner;
      };
      if (outside.packages.size > 0) leaveOutside(plugin, outside.packages);
      plugin.onResolve({ filter: /\.node$/ }, async ({ path, importer, pluginData }) => {
        if (pluginData === asked) return undefined;
        // What stands in its place, see below.
        if (path === importer) return { path, external: true };
        const owner = await ownerOf(importer);
        if (owner === undefined) return undefined;
        outside.found.add(owner);
        return { path, external: true };
      });
      // Reached by a module that stays in the bundle, maybe by the name of a package.
      plugin.onLoad({ filter: /\.node$/ }, async ({ path }) => {
        const owner = await ownerOf(path);
        if (owner !== undefined) {
          outside.found.add(owner);
          return { contents: "", loader: "js" };
        }
        outside.files.add(path);
        return {
          contents: `module.exports = require(${JSON.stringify(path)});`,
          loader: "js",
          resolveDir: dirname(path),
        };
      });
      plugin.onResolve({ filter: new RegExp(`^(?:${loaders.join("|")})$`) }, async ({ path, importer, pluginData }) => {
        if (pluginData === asked) return undefined;
        const owner = await ownerOf(importer);
        if (owner === undefined) return { errors: [{ text: ownLoader(path) }] };
        outside.found.add(owner);
        return { path, external: true };
      });
    },
  };
}

/** Marks what this plugin asks the bundler itself. */
const asked = Symbol("asked");

function ownLoader(name: string): string {
  return `${name} looks for a native addon beside the module that calls it, and a job's own modules are moved into a bundle: import the .node file itself, or make its folder a package of its own (npm install ./FOLDER)`;
}

async function resolveAsUsual(plugin: PluginBuild, { path, kind, importer, namespace, resolveDir }: OnResolveArgs) {
  return await plugin.resolve(path, { kind, importer, namespace, resolveDir, pluginData: asked });
}

/** Leaves what leads into one of the packages as an import by an absolute path. */
function leaveOutside(plugin: PluginBuild, packages: ReadonlySet<string>): void {
  plugin.onResolve({ filter: /.*/ }, async (args) => {
    if (args.pluginData === asked || args.kind === "entry-point" || args.namespace !== "file") return undefined;
    const { path, errors, external, namespace } = await resolveAsUsual(plugin, args);
    // Node loads code from there; all else is bundled (JSON, TypeScript), or has its place taken (an addon).
    if (errors.length > 0 || external || namespace !== "file" || !/(?:\.[cm]?js|\/[^./]+)$/.test(path))
      return undefined;
    const root = await packageOf(path);
    if (root === undefined || !packages.has(root)) return undefined;
    const isImport = args.kind === "import-statement" || args.kind === "dynamic-import";
    return { path: isImport ? pathToFileURL(path).href : path, external: true };
  });
}

const modules = `${sep}node_modules${sep}`;

/**
 * The folder of the package that a file is in: below node_modules, or, of a package that is linked, the next one up
 * whose package.json has a name. Undefined: none.
 */
export async function packageOf(path: string): Promise<string | undefined> {
  const at = path.lastIndexOf(modules);
  if (at >= 0) {
    const start = at + modules.length;
    const words = path.slice(start).split(sep);
    const length = words[0]?.startsWith("@") ? 2 : 1;
    if (words.length > length) return path.slice(0, start) + words.slice(0, length).join(sep);
  }
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && (await manifestOf(folder))["name"] !== undefined) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

async function manifestOf(folder: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const found: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    return typeof found === "object" && found !== null ? (found as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {}; // none, or a broken one, which Node will tell of
  }
}

/** Whether a package says that it has an addon. Asked of those that load something by a name that they make. */
export async function saysAddon(folder: string): Promise<boolean> {
  const manifest = await manifestOf(folder);
  const { dependencies } = manifest;
  const names = typeof dependencies === "object" && dependencies !== null ? Object.keys(dependencies) : [];
  return (
    ["gypfile", "binary", "napi"].some((key) => Boolean(manifest[key])) ||
    existsSync(join(folder, "binding.gyp")) ||
    names.some((name) => loaders.some((loader) => loader === name))
  );
}

/**
 * What stays outside, for people and for the bundle's own bytes: where another version is installed, or another file
 * stands there, it is another bundle.
 */
export async function outsideTexts({ packages, files }: Outside): Promise<readonly string[]> {
  const ofPackages = [...packages].map(async (folder) => {
    const { name, version } = await manifestOf(folder);
    return `${String(name ?? folder)}${typeof version === "string" ? `@${version}` : ""} in ${folder}`;
  });
  const ofFiles = [...files].map(async (path) => {
    const bytes = await readFile(path).catch(() => "");
    return `${path} (SHA-256 ${toHex(createHash("sha256").update(bytes).digest())})`;
  });
  return (await Promise.all([...ofPackages, ...ofFiles])).toSorted();
}
