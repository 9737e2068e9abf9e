import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storeConformance } from "../../test/conformance/store.ts";
import { openLevelStore } from "./leveldb.ts";

const never = new AbortController().signal;

storeConformance("leveldb", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-level-"));
  const directory = join(folder, "state");
  let store = await openLevelStore(directory);
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await openLevelStore(directory);
      return store;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
});

describe("leveldb store on disk", () => {
  let folder: string;
  let directory: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-level-"));
    directory = join(folder, "state");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("refuses a second opener by name", async () => {
    const store = await openLevelStore(directory);
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: "state-busy" });
    await store.close();
  });

  it("fault 38: reads right records or refuses, whichever byte of its files is flipped", async () => {
    const store = await openLevelStore(directory);
    const leader = await store.lead("a", never);
    const wanted = new Map(Array.from({ length: 20 }, (_, i) => [`key/${String(i).padStart(2, "0")}`, `value ${i}`]));
    await leader.commit([...wanted].map(([key, value]) => ({ put: { key, value: Buffer.from(value) } })));
    await store.close();
    const files = readdirSync(directory).filter(
      (name) => /^\d+\.(log|ldb)$|^MANIFEST|^CURRENT$/.test(name) && statSync(join(directory, name)).size > 0,
    );
    let refused = 0;
    let intact = 0;
    for (const name of files) {
      const path = join(directory, name);
      const original = readFileSync(path);
      for (let at = 0; at < original.length; at += 13) {
        const broken = Buffer.from(original);
        broken[at] = broken[at]! ^ 0x10;
        writeFileSync(path, broken);
        const outcome = await readAll(directory);
        if (outcome === "refused") refused++;
        else {
          intact++;
          // LevelDB may drop a damaged tail of its log: fewer records are a prefix that a restart sees; wrong ones never.
          for (const [key, value] of outcome) expect(wanted.get(key)).toBe(value);
        }
        rmSync(directory, { recursive: true, force: true });
        const fresh = await openLevelStore(directory);
        const again = await fresh.lead("a", never);
        await again.commit([...wanted].map(([key, value]) => ({ put: { key, value: Buffer.from(value) } })));
        await fresh.close();
        if (!readdirSync(directory).includes(name)) break;
      }
    }
    expect(refused + intact).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(0);
  });

  it("I4: loses nothing that was acknowledged when its process is killed", async () => {
    const script = join(folder, "writer.mjs");
    const bundled = buildSync({
      stdin: {
        contents: `import { openLevelStore } from ${JSON.stringify(new URL("./leveldb.ts", import.meta.url).pathname)};
const store = await openLevelStore(process.argv[2]);
const leader = await store.lead("writer", new AbortController().signal);
for (let i = 0; ; i++) {
  await leader.commit([{ put: { key: "n/" + String(i).padStart(9, "0"), value: Buffer.from(String(i)) } }]);
  console.log(i);
}`,
        resolveDir: folder,
        loader: "ts",
      },
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      external: ["classic-level"],
    }).outputFiles[0]!.text;
    const level = pathToFileURL(createRequire(import.meta.url).resolve("classic-level")).href;
    writeFileSync(script, bundled.replaceAll('"classic-level"', JSON.stringify(level)));
    const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
    let acknowledged = -1;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (acknowledged === 25) child.kill("SIGKILL");
    }
    await ended;
    expect(acknowledged).toBeGreaterThanOrEqual(25);
    const found = await readAll(directory);
    expect(found).not.toBe("refused");
    for (let i = 0; i <= acknowledged; i++)
      expect((found as Map<string, string>).get(`n/${String(i).padStart(9, "0")}`)).toBe(String(i));
  });
});

async function readAll(directory: string): Promise<Map<string, string> | "refused"> {
  let store: Awaited<ReturnType<typeof openLevelStore>> | undefined;
  try {
    store = await openLevelStore(directory);
    await store.lead("reader", never);
    const found = new Map<string, string>();
    for await (const { key, value } of store.scan("")) found.set(key, Buffer.from(value).toString());
    return found;
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^(corrupt-state|io-error)$/) });
    return "refused";
  } finally {
    await store?.close();
  }
}
