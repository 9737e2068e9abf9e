// Puts in words what user code threw. It may be anything, and looking at it may run more of the user's code (getters,
// proxies).
import { basename, dirname, isAbsolute, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";

const messageCharactersMax = 4096;
const framesMax = 20;
const frameCharactersMax = 500;
const causesMax = 3;

export interface Thrown {
  /** "TypeError: x is not a function (caused by: …)"; for our own errors only the message. */
  readonly message: string;
  /** See `userStack`. */
  readonly stack: string | undefined;
}

/** Never throws, whatever was thrown. Both texts are bounded. */
export function describeThrown(thrown: unknown): Thrown {
  return { message: cut(messageOf(thrown, 0), messageCharactersMax), stack: userStack(thrown) };
}

/**
 * The frames in the user's own sources, one a line ("at map (jobs/count.ts:12:5)"), mapped where source maps are
 * enabled; paths inside `directory` are relative to it. Where an error has no such frames, those of its cause.
 * undefined: there are none.
 */
export function userStack(thrown: unknown, directory: string = process.cwd()): string | undefined {
  for (let depth = 0, error = thrown; depth <= causesMax && error !== undefined; depth++) {
    const stack = property(error, "stack");
    if (typeof stack === "string") {
      const frames = framesOf(stack, property(error, "message")).flatMap(usersOnly);
      if (frames.length > 0) return relativeFrames(frames, directory).join("\n");
    }
    error = property(error, "cause");
  }
  return undefined;
}

function messageOf(thrown: unknown, depth: number): string {
  if (typeof thrown === "string") return thrown === "" ? "an empty string was thrown" : thrown;
  const isObject = (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
  const message = isObject ? property(thrown, "message") : undefined;
  if (typeof message !== "string") return `${excerptOf(thrown)} was thrown, which is no Error`;
  if (isOurs(thrown)) return message;
  const name = property(thrown, "name");
  const isTelling = typeof name === "string" && !["", "Error", "BadRecord"].includes(name);
  const named = isTelling ? `${cut(name, 100)}: ${message}` : message;
  const text = named === "" ? "an Error without a message was thrown" : cut(named, messageCharactersMax);
  if (depth >= causesMax) return text;
  const advice = adviceForMissing(thrown);
  if (advice !== undefined) return `${text.replace(askedBy, "")}: ${advice}`;
  const causes = causesOf(thrown).map((cause) => messageOf(cause, depth + 1));
  return causes.length === 0 ? text : `${text} (caused by: ${causes.join("; ")})`;
}

/** Which file asked for a module that is not found: the bundle, which is no file of the user's. */
const askedBy = /(?:\nRequire stack:| imported from ).*$/s;

/** Where the job's bundle lies in this process; undefined where none is loaded. */
let bundleFolder: string | undefined;

/** Tells this module where the bundle lies: what the job looks for beside itself, it looks for there. */
export function bundleLoadedFrom(path: string): void {
  bundleFolder = dirname(path);
}

/** For what was beside the job's module, and is not beside its bundle or in the directory of an attempt. */
function adviceForMissing(thrown: unknown): string | undefined {
  if (bundleFolder === undefined) return undefined;
  const message = String(property(thrown, "message"));
  switch (property(thrown, "code")) {
    case "ENOENT":
      return adviceForFile(property(thrown, "path"), String(property(thrown, "syscall")));
    case "MODULE_NOT_FOUND":
    case "ERR_MODULE_NOT_FOUND":
      // Asked for by the bundle, and not by a package that stays outside of it.
      return message.includes(bundleFolder + sep) ? adviceForModule(/'([^']+)'/.exec(message)?.[1]) : undefined;
    case "ERR_DLOPEN_FAILED":
      return adviceForModule(/^(.+?): .*No such file/.exec(message)?.[1]);
    default:
      return undefined;
  }
}

/** Calls that read, and find nothing. The name of a program that is in no folder of PATH is no file beside the job. */
const readingCalls = /^(?:open|stat|lstat|access|readlink|realpath|copyfile|spawn(?:Sync)? \.{0,2}\/.*)$/;
const foldersCalls = /^(?:scandir|opendir)$/;

function adviceForFile(path: unknown, call: string): string | undefined {
  const file = typeof path === "string" && path !== "" ? besideModule(path) : undefined;
  if (file === undefined) return undefined;
  const alone = "a job runs in a directory of its own, without the files beside its module";
  if (foldersCalls.test(call))
    return `${alone}. Declare each that it needs, files: { name: "PATH" }, and read it from ctx.file("name") in setup or map`;
  if (!readingCalls.test(call)) return undefined;
  const name = basename(file)
    .replace(/(.)\.[^.]*$/, "$1")
    .replace(/\W+/g, "_");
  return `${alone}. Declare the file, files: { ${name}: ${JSON.stringify(file)} }, and read it from ctx.file(${JSON.stringify(name)}) in setup or map`;
}

/** For one whose name is known only at run time, which the bundler leaves as it is. */
function adviceForModule(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const file = isAbsolute(name) ? besideModule(name) : name;
  if (file === undefined) return undefined;
  const literal = isAbsolute(name) ? `./${file}` : file;
  return `a job runs as one bundle, without the modules beside its own and without node_modules. Import it by a literal name, such as import x from ${JSON.stringify(literal)}, so that it is found`;
}

/** What a path that leads to nothing here would be from the job's module; undefined for a path of elsewhere. */
function besideModule(path: string): string | undefined {
  if (!isAbsolute(path)) return cut(normalize(path), 100);
  const folder = [currentDirectory(), bundleFolder].find((each) => each !== undefined && path.startsWith(each + sep));
  return folder === undefined ? undefined : cut(relative(folder, path), 100);
}

function currentDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined; // the job has removed it
  }
}

/** The cause of an error, and the errors of an AggregateError. */
function causesOf(thrown: unknown): readonly unknown[] {
  const cause = property(thrown, "cause");
  const errors = property(thrown, "errors");
  const several = Array.isArray(errors) && !types.isProxy(errors) ? errors.slice(0, causesMax) : [];
  return cause === undefined ? several : [cause, ...several];
}

/** `instanceof` would run user code where a proxy was thrown. */
export function isOurs(thrown: unknown): thrown is MillraceError {
  return !types.isProxy(thrown) && thrown instanceof MillraceError;
}

function property(value: unknown, name: string): unknown {
  if (value === null || value === undefined) return undefined;
  try {
    return (value as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined; // a user's getter threw
  }
}

/** The lines that name a location; lines of the message before them may look alike. */
function framesOf(stack: string, message: unknown): readonly string[] {
  const behind = typeof message === "string" ? stack.indexOf(message) : -1;
  const text = behind < 0 ? stack : stack.slice(behind + String(message).length);
  return text
    .slice(0, 100_000)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "))
    .map((line) => cut(line, frameCharactersMax));
}

/** A frame in the user's own sources. */
interface UsersFrame {
  readonly frame: string;
  readonly location: string;
}

/** The frame, where it is the user's; none otherwise. */
function usersOnly(frame: string): readonly UsersFrame[] {
  const location = locationOf(frame);
  if (location === undefined || location.startsWith("node:") || location.startsWith("millrace:")) return [];
  return ownDirectories.some((directory) => location.startsWith(directory)) ? [] : [{ frame, location }];
}

/** "/a/b.ts:1:2" of "at f (file:///a/b.ts:1:2)" and of "at async /a/b.ts:1:2"; undefined for native code. */
function locationOf(frame: string): string | undefined {
  const location = /(?:\(|^at (?:async )?)([^()]*:\d+:\d+)\)?$/.exec(frame)?.[1];
  if (location === undefined || !location.startsWith("file://")) return location;
  try {
    return fileURLToPath(location);
  } catch {
    return location;
  }
}

function relativeFrames(frames: readonly UsersFrame[], directory: string): readonly string[] {
  return frames.slice(0, framesMax).map(({ frame, location }) => {
    const inside = location.startsWith(directory.endsWith(sep) ? directory : directory + sep);
    const shown = inside ? relative(directory, location) : location;
    const name = /^at (.*) \(.*\)$/.exec(frame)?.[1];
    return name === undefined || name === "<anonymous>" ? `at ${shown}` : `at ${name} (${shown})`;
  });
}

/**
 * The directories of this package's own code, as it runs (`dist`; the programs are "millrace:…": boot.ts) and as source
 * maps name it (`src`).
 */
const ownDirectories = ((): readonly string[] => {
  const here = fileURLToPath(import.meta.url);
  const end = Math.max(...[`${sep}dist${sep}`, `${sep}src${sep}job${sep}`].map((part) => here.lastIndexOf(part)));
  const root = here.slice(0, Math.max(end, 0));
  return end < 0 ? [here] : ["src", "dist", "bin"].map((folder) => `${root}${sep}${folder}${sep}`);
})();

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
}
