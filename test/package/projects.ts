// Projects outside the repository that have Millrace installed, each by another program, from a clone that is as clean
// as a checkout.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Installer, nodes } from "./matrix.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

const certificates = process.env["NODE_EXTRA_CA_CERTS"] ?? process.env["MILLRACE_EXTRA_CA_CERTS"];

/** Programs that are not in the repository: paths of Node by major version, and of the scripts of other installers. */
export interface Tools {
  readonly nodes: ReadonlyMap<string, string>;
  readonly pnpm: string;
  readonly yarn: string;
}

/**
 * The tools in `MILLRACE_TOOLS`, a folder that npm has installed Node 22, 24, 26, pnpm and yarn in, as `.ci/run` does;
 * or what is missing.
 */
export async function findTools(): Promise<Tools | { readonly missing: string }> {
  const folder = process.env["MILLRACE_TOOLS"];
  if (folder === undefined) return { missing: "MILLRACE_TOOLS is not set (see .ci/run)" };
  const modules = join(folder, "node_modules");
  const names = existsSync(modules) ? readdirSync(modules) : [];
  const found = [process.execPath, ...names.map((name) => join(modules, name, "bin/node"))].filter(existsSync);
  const versions = await Promise.all(found.map((path) => command([path, "--version"], { cwd: root, path: [] })));
  const byMajor = new Map(found.map((path, index) => [/^v(\d+)/.exec(versions[index]!.output)?.[1] ?? "", path]));
  const pnpm = join(modules, "pnpm/bin/pnpm.cjs");
  const yarn = join(modules, "@yarnpkg/cli-dist/bin/yarn.js");
  const missing = [
    ...nodes.filter((major) => !byMajor.has(major)).map((major) => `Node ${major}`),
    ...[pnpm, yarn].filter((path) => !existsSync(path)),
  ];
  if (missing.length > 0) return { missing: `${missing.join(", ")} in MILLRACE_TOOLS` };
  return { nodes: byMajor, pnpm, yarn };
}

export interface Ended {
  readonly code: number | null;
  /** Standard output and standard error as they came. */
  readonly output: string;
  readonly stdout: string;
}

/** Runs a program with little in its environment: `path` stands before the system's folders on the PATH. */
export function command(
  [program, ...words]: readonly [string, ...string[]],
  { cwd, path, env = {} }: { cwd: string; path: readonly string[]; env?: Readonly<Record<string, string>> },
): Promise<Ended> {
  const all = { ...environment(path), ...env };
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { cwd, env: all, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output, stdout }));
  });
}

/** That of these tests, without what npm told their process, and without what vitest did. */
export function environment(path: readonly string[]): Readonly<Record<string, string | undefined>> {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|node_|vitest|millrace|init_cwd|ci$)/i.test(name));
  return { ...Object.fromEntries(own), PATH: [...path, process.env["PATH"]].join(delimiter) };
}

/** As `command`, which has to end with 0; resolves to its standard output. */
export async function succeed(...args: Parameters<typeof command>): Promise<string> {
  const { code, output, stdout } = await command(...args);
  if (code !== 0) throw new Error(`${args[0].join(" ")} ended with ${code} in ${args[1].cwd}:\n${output}`);
  return stdout;
}

/** A temporary folder with a clone in it, and the projects that Millrace is installed in. */
export class Installations {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-package-")));
  /** What is tracked by git, and what would be, without what is ignored. */
  readonly clone = join(this.folder, "millrace");
  /** The folder of the Node that runs these tests, and so of its npm. */
  readonly #path = [dirname(process.execPath)];
  readonly #tools: Tools;

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  async cloneRepository(): Promise<void> {
    const listed = await succeed(["git", "ls-files", "-co", "--exclude-standard", "-z"], { cwd: root, path: [] });
    for (const name of listed.split("\0")) {
      if (name === "" || !existsSync(join(root, name))) continue;
      mkdirSync(dirname(join(this.clone, name)), { recursive: true });
      cpSync(join(root, name), join(this.clone, name));
    }
  }

  /** Runs lines of a page in the clone. */
  async runInClone(lines: string): Promise<string> {
    return await succeed(["bash", "-euc", lines], { cwd: this.clone, path: this.#path, env: this.#npm() });
  }

  /** Path of what `npm pack` writes. */
  async pack(): Promise<string> {
    const where = { cwd: this.clone, path: this.#path, env: this.#npm() };
    const listed = JSON.parse(await succeed(["npm", "pack", "--json", "--pack-destination", this.folder], where)) as
      | readonly { readonly filename: string }[]
      | Readonly<Record<string, { readonly filename: string }>>;
    return join(this.folder, Object.values(listed)[0]!.filename);
  }

  /** The folder in which the jobs of an installer's project are. */
  project(installer: Installer): string {
    if (installer === "folder") return join(this.folder, "my-jobs");
    return installer === "workspaces" ? join(this.folder, installer, "jobs") : join(this.folder, installer);
  }

  /** The folder in which the command of the project's `millrace` is. */
  bin(installer: Installer): string {
    if (installer === "link") return join(this.folder, "global/bin");
    return join(installer === "folder" ? this.project(installer) : join(this.folder, installer), "node_modules/.bin");
  }

  /** Installs the tarball, or for `link` the clone, in a project of its own. */
  async install(installer: Exclude<Installer, "folder">, tarball: string): Promise<void> {
    const top = join(this.folder, installer);
    const cwd = this.project(installer);
    mkdirSync(cwd, { recursive: true });
    const manifest = { name: `jobs-by-${installer}`, private: true, type: "module" };
    const write = (name: string, content: object | string) =>
      writeFileSync(join(top, name), typeof content === "string" ? content : JSON.stringify(content));
    write("package.json", manifest);
    const node = process.execPath;
    const run = (words: readonly [string, ...string[]], env: Readonly<Record<string, string>> = {}, at = top) =>
      succeed(words, { cwd: at, path: this.#path, env: { ...this.#npm(), ...env } });
    switch (installer) {
      case "npm":
        await run(["npm", "install", "--ignore-scripts", tarball]);
        break;
      case "pnpm":
        await run([
          node,
          this.#tools.pnpm,
          "add",
          "--ignore-scripts",
          "--store-dir",
          join(this.folder, "store"),
          tarball,
        ]);
        break;
      case "yarn":
        // Its own lockfile makes a folder a project, whatever stands above it.
        write("yarn.lock", "");
        write(".yarnrc.yml", "nodeLinker: node-modules\nenableTelemetry: false\nenableScripts: false\n");
        await run([node, this.#tools.yarn, "add", `millrace@file:${tarball}`], {
          YARN_GLOBAL_FOLDER: join(this.folder, "berry"),
          YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
        });
        break;
      case "workspaces":
        write("package.json", { ...manifest, workspaces: ["jobs"] });
        write("jobs/package.json", { ...manifest, name: "jobs", dependencies: { millrace: `file:${tarball}` } });
        await run(["npm", "install", "--ignore-scripts"]);
        break;
      case "link":
        await run(["npm", "link"], {}, this.clone);
        await run(["npm", "link", "millrace"]);
        break;
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Settings of npm: what is global is within the folder, and what has been fetched before is not fetched again. */
  #npm(): Readonly<Record<string, string>> {
    return {
      // Where a registry is reached through a proxy with a certificate of its own (scripts/test.mjs keeps the path).
      ...(certificates !== undefined && { NODE_EXTRA_CA_CERTS: certificates }),
      npm_config_prefix: join(this.folder, "global"),
      npm_config_prefer_offline: "true",
      npm_config_fund: "false",
      npm_config_audit: "false",
      npm_config_update_notifier: "false",
    };
  }
}
