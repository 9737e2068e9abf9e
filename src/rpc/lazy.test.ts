// What only a cluster needs is loaded by its commands only: a run on this machine starts without gRPC, HTTP servers and
// metrics.
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Source files that are loaded with an entry, dynamic imports left out. */
function loadedWith(entry: string, outputs: Metafile["outputs"]): string[] {
  const first = Object.keys(outputs).find((name) => outputs[name]!.entryPoint === entry)!;
  const seen = new Set<string>();
  const files = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const file of Object.keys(outputs[name]!.inputs)) files.add(file);
    for (const { path, kind, external } of outputs[name]!.imports)
      if (kind !== "dynamic-import" && external !== true) visit(path);
  };
  visit(first);
  return [...files];
}

it("neither the command line, nor the library, nor a slot loads what only a cluster needs", async () => {
  const entries = ["src/cli/main.ts", "src/index.ts", "src/testing.ts", "src/slot/main.ts"];
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: "unused",
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "bundle",
    external: ["classic-level", "esbuild", "tinyglobby", "@bokuweb/zstd-wasm"],
    logLevel: "silent",
  });
  const everything = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  expect(everything.some((file) => file.includes("@connectrpc"))).toBe(true);
  const clusterOnly =
    /@connectrpc|prom-client|\/pino\/|rpc\/(?:server\/(?:listener|service|dispatch)|client\/(?:client|session))\.ts$|master\/node\.ts$|worker\/node\/node\.ts$/;
  // Each alternative is of something that there is: a file that moves takes its pattern along.
  for (const file of ["server/listener", "server/service", "server/dispatch", "client/client", "client/session"])
    expect(everything).toContain(`src/rpc/${file}.ts`);
  for (const file of ["master/node", "worker/node/node"]) expect(everything).toContain(`src/${file}.ts`);
  for (const entry of entries) {
    expect(
      loadedWith(entry, metafile.outputs).filter((file) => clusterOnly.test(file)),
      entry,
    ).toEqual([]);
  }
}, 30_000);
