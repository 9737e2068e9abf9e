import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../base/error.ts";
import { bundleLoadedFrom, describeThrown, userStack } from "./thrown.ts";

const explode = () => {
  throw new Error("a trap of the user's");
};
/** Every trap of it throws. */
const trapped = new Proxy(
  {},
  {
    get: explode,
    has: explode,
    getPrototypeOf: explode,
    ownKeys: explode,
    getOwnPropertyDescriptor: explode,
  },
);
const revoked = (() => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
})();
const throwing = (name: string) => Object.defineProperty(new Error("real"), name, { get: explode });
const cyclic = Object.assign(new Error("round"), {});
Object.assign(cyclic, { cause: cyclic });
const endless: unknown[] = [];
endless.push(endless);
const named = (name: unknown) => Object.assign(new Error("text"), { name });

describe("fault 17: whatever is thrown", () => {
  it.each<[string, unknown, RegExp]>([
    ["null", null, /^null was thrown, which is no Error$/],
    ["undefined", undefined, /^undefined was thrown/],
    ["a string", "just text", /^just text$/],
    ["an empty string", "", /an empty string was thrown/],
    ["a number", 42, /^42 was thrown/],
    ["a bigint", 1n, /^1n was thrown/],
    ["a symbol", Symbol("s"), /^Symbol\(s\) was thrown/],
    ["a function", function oops() {}, /oops.* was thrown/],
    ["a plain object", { code: 7 }, /^\{ code: 7 \} was thrown/],
    ["an object with a message", { message: "like an error" }, /^like an error$/],
    ["a message that is no text", Object.assign(new Error(), { message: {} }), /was thrown/],
    ["a message that throws", throwing("message"), /was thrown/],
    ["a stack that throws", throwing("stack"), /^real$/],
    ["a name that throws", throwing("name"), /^real$/],
    ["a cause that throws", throwing("cause"), /^real$/],
    ["a name that is no text", named({}), /^text$/],
    ["an endless name", named("N".repeat(1e6)), /^N{99}…: text$/],
    ["a proxy that throws", trapped, /was thrown/],
    ["a revoked proxy", revoked, /was thrown/],
    ["a proxy of an error", new Proxy(new TypeError("inner"), {}), /^TypeError: inner$/],
    [
      "an error whose prototype can't be asked for",
      new Proxy(new Error("inner"), { getPrototypeOf: explode }),
      /^inner$/,
    ],
    ["an object without prototype", Object.create(null), /was thrown/],
    ["a cycle", cyclic, /^round \(caused by: round/],
    ["a cyclic array", endless, /was thrown/],
    [
      "text that throws when it is made",
      {
        toString: explode,
        [Symbol.toPrimitive]: explode,
        get [Symbol.toStringTag]() {
          return explode();
        },
      },
      /was thrown/,
    ],
    ["a custom inspection that throws", { [Symbol.for("nodejs.util.inspect.custom")]: explode }, /was thrown/],
    [
      "several errors",
      new AggregateError([new Error("one"), "two", null], "all failed"),
      /^AggregateError: all failed \(caused by: one; two; null was thrown/,
    ],
    [
      "an error with a cause",
      new RangeError("outer", { cause: new TypeError("inner") }),
      /^RangeError: outer \(caused by: TypeError: inner\)$/,
    ],
    ["an error without message", new Error(""), /an Error without a message was thrown/],
    ["one of ours", new MillraceError("wrong-value", "said already", { cause: new Error("hidden") }), /^said already$/],
  ])("%s is described", (_, thrown, message) => {
    const described = describeThrown(thrown);
    expect(described.message).toMatch(message);
    expect(described.message.length).toBeLessThanOrEqual(4096);
    expect(typeof described.stack === "string" || described.stack === undefined).toBe(true);
  });

  it("is cut when it is long", () => {
    expect(describeThrown("x".repeat(1e7)).message).toHaveLength(4096);
    expect(describeThrown(new Error("x".repeat(1e7))).message).toHaveLength(4096);
    const deep = Object.assign(new Error("x"), { stack: `Error: x\n${"    at f (/jobs/a.ts:1:1)\n".repeat(1e5)}` });
    expect(describeThrown(deep).stack!.split("\n")).toHaveLength(20);
  });
});

describe("userStack", () => {
  const own = import.meta.url.replace("thrown.test.ts", "codecs/tuple.ts");
  const withFrames = (message: string, frames: string[]) =>
    Object.assign(new Error(message), {
      stack: `Error: ${message}\n${frames.map((frame) => `    at ${frame}`).join("\n")}`,
    });

  it("keeps the user's frames, relative to the directory that they are in", () => {
    const frames = [
      "write (/deps/x.js:9:9)",
      `write (${own}:3:4)`,
      "Object.map (/home/me/jobs/count.ts:12:5)",
      "async file:///home/me/jobs/lib%20a.ts:1:2",
      "node:internal/process/task_queues:105:5",
      "Array.map (<anonymous>)",
    ];
    expect(userStack(withFrames("no", frames), "/home/me")).toBe(
      "at write (/deps/x.js:9:9)\nat Object.map (jobs/count.ts:12:5)\nat jobs/lib a.ts:1:2",
    );
    expect(userStack(withFrames("no", frames), "/home/m")).toContain("at Object.map (/home/me/jobs/count.ts:12:5)");
  });

  it("does not take the message's lines for frames", () => {
    const message = "first\n    at fake (/home/me/fake.ts:1:1)";
    expect(userStack(withFrames(message, ["real (/home/me/real.ts:1:1)"]), "/")).toBe("at real (home/me/real.ts:1:1)");
  });

  it("falls back to the cause's frames, and to nothing", () => {
    const cause = withFrames("inner", ["map (/jobs/a.ts:1:1)"]);
    const outer = Object.assign(withFrames("outer", [`load (${own}:1:1)`]), { cause });
    expect(userStack(outer, "/jobs")).toBe("at map (a.ts:1:1)");
    expect(userStack(withFrames("x", ["node:fs:1:1"]))).toBeUndefined();
    expect(userStack("text")).toBeUndefined();
  });
});

describe("a file that is beside the job's module, and is read where the job runs", () => {
  const reading = (path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch (thrown) {
      return describeThrown(thrown).message;
    }
  };

  it("is told how to declare it, by whatever name it is looked for; other missing files are not", () => {
    expect(reading("./no-such.data.json")).not.toContain("ctx.file");
    bundleLoadedFrom("/no/such/work/bundle.mjs");
    for (const path of ["./no-such.data.json", "no-such.data.json", "/no/such/work/no-such.data.json"]) {
      expect(reading(path)).toContain(
        'files: { no_such_data: "no-such.data.json" }, and read it from ctx.file("no_such_data")',
      );
    }
    expect(reading(join(process.cwd(), "no-such.json"))).toContain('ctx.file("no_such")');
    for (const path of ["data/no-such.csv", "./data/no-such.csv", "/no/such/work/data/no-such.csv"])
      expect(reading(path)).toContain('files: { no_such: "data/no-such.csv" }');
    expect(reading("../no/such.csv")).toContain('files: { such: "../no/such.csv" }');
    expect(reading("/no/such/other/data.json")).not.toContain("ctx.file");
    expect(reading("/no/such/workers/data.json")).not.toContain("ctx.file");
  });

  it("is no folder, and nothing that is written or removed, and no program", () => {
    bundleLoadedFrom("/no/such/work/bundle.mjs");
    const told = (work: () => unknown) => {
      try {
        return String(work());
      } catch (thrown) {
        return describeThrown(thrown).message;
      }
    };
    expect(told(() => readdirSync("no-such"))).toContain('Declare each that it needs, files: { name: "PATH" }');
    expect(told(() => rmdirSync("no-such"))).not.toContain("ctx.file");
    expect(told(() => mkdirSync("no-such/at/all"))).not.toContain("ctx.file");
    const program = "no-such-program";
    const { error } = spawnSync(program);
    expect(describeThrown(error).message).toMatch(/ENOENT$/);
    const script = "./no-such-script";
    expect(describeThrown(spawnSync(script).error).message).toContain('files: { no_such_script: "no-such-script" }');
  });

  it("may be a module, which a literal name finds", () => {
    bundleLoadedFrom("/no/such/work/bundle.mjs");
    const required = (name: string, by = "/no/such/work/bundle.mjs") => {
      try {
        return String(createRequire(by)(name));
      } catch (thrown) {
        return describeThrown(thrown).message;
      }
    };
    expect(required("./fast.node")).toMatch(
      /^Cannot find module '.\/fast\.node': a job runs as one bundle, .* such as import x from "\.\/fast\.node", so/,
    );
    expect(required("no-such-package")).toContain('such as import x from "no-such-package"');
    expect(required("./fast.node", "/no/such/other/index.js")).not.toContain("literal name");
    const imported = Object.assign(
      new Error("Cannot find module '/no/such/work/plugins/a.js' imported from /no/such/work/bundle.mjs"),
      { code: "ERR_MODULE_NOT_FOUND" },
    );
    expect(describeThrown(imported).message).toMatch(
      /^Cannot find module '[^']*': a job runs .* such as import x from "\.\/plugins\/a\.js", so/,
    );
    const opened = (path: string) => {
      try {
        return String(process.dlopen({ exports: {} }, path));
      } catch (thrown) {
        return describeThrown(thrown).message;
      }
    };
    expect(opened("/no/such/work/fast.node")).toContain('such as import x from "./fast.node"');
    expect(opened("/no/such/other/fast.node")).not.toContain("literal name");
  });
});
