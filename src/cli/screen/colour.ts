// Colours of what is printed: whether there are any depends on the stream that is written to, on `--color`, and on the
// caller's environment, which the job's own replaces where its code runs in this process. What a command prints goes to
// one stream, so the stream is chosen once, where its printer is opened.
import picocolors from "picocolors";
import { callersEnvironment } from "../callers-environment.ts";

export const colourModes = ["auto", "always", "never"] as const;
export type ColourMode = (typeof colourModes)[number];

const painted = picocolors.createColors(true);
let mode: ColourMode = "auto";
let isOn = wantsColour("auto", process.stderr.isTTY === true, callersEnvironment);

/**
 * Whether a stream is written to in colour. The option is nearest to whoever types the command; NO_COLOR is a wish of a
 * person for all programs, so it outweighs FORCE_COLOR, which build servers set for everyone. As Node has it,
 * FORCE_COLOR=0 and FORCE_COLOR=false switch off.
 */
export function wantsColour(
  chosen: ColourMode,
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (chosen !== "auto") return chosen === "always";
  const { NO_COLOR: no, FORCE_COLOR: force, TERM: terminal } = environment;
  if (no !== undefined && no !== "") return false;
  if (force !== undefined) return force !== "0" && force !== "false";
  return isTerminal && terminal !== "dumb";
}

/** Takes what `--color` says; undefined where it is not given. */
export function chooseColours(given: ColourMode | undefined): void {
  mode = given ?? "auto";
  colourFor(process.stderr);
}

/** Says which stream the next lines are for. */
export function colourFor(stream: { readonly isTTY?: boolean }): void {
  isOn = wantsColour(mode, stream.isTTY === true, callersEnvironment);
}

/** Makes a text for standard error, whatever the stream of the command is. */
export function onStderr<T>(make: () => T): T {
  const was = isOn;
  colourFor(process.stderr);
  try {
    return make();
  } finally {
    isOn = was;
  }
}

/** A terminal on which lines can be rewritten in place; one that calls itself dumb can't do that. */
export function isLive(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>> = callersEnvironment,
): boolean {
  return stream.isTTY === true && environment["TERM"] !== "dumb";
}

/** Paints a text, where the stream that was chosen takes colours. */
export const pc = {
  bold: (text: string) => (isOn ? painted.bold(text) : text),
  dim: (text: string) => (isOn ? painted.dim(text) : text),
  red: (text: string) => (isOn ? painted.red(text) : text),
  green: (text: string) => (isOn ? painted.green(text) : text),
  yellow: (text: string) => (isOn ? painted.yellow(text) : text),
} as const;
