// Decides where dead letters go: into the output, or into a folder of their own. With `--skip-bad` one of both is
// needed.
import { MillraceError } from "../base/error.ts";
import { areApart, outputPath } from "../base/paths.ts";

export interface DeadLettersOptions {
  readonly output: string | undefined;
  readonly deadLetters: string | undefined;
  readonly skipBad: number;
}

/** The names of the options, for messages: those of the command, or those of `run`. */
export interface DeadLettersWords {
  readonly output: string;
  readonly deadLetters: string;
  readonly skipBad: string;
}

/** Their own folder, absolute; undefined when they go into the output, or there are none. Throws `wrong-usage`. */
export function deadLettersFolder(
  { output, deadLetters, skipBad }: DeadLettersOptions,
  words: DeadLettersWords,
): string | undefined {
  if (deadLetters === undefined) {
    if (skipBad === 0 || output !== undefined) return undefined;
    throw wrong(
      `${words.skipBad} puts bad records aside in the output's folder, but there is no output: give ${words.deadLetters} for them, or ${words.output}`,
    );
  }
  if (deadLetters === "") throw wrong(`${words.deadLetters} needs the name of a folder`);
  if (skipBad === 0)
    throw wrong(
      `${words.deadLetters} is for bad records that are put aside: say how many may be with ${words.skipBad}`,
    );
  const folder = outputPath(deadLetters);
  if (output !== undefined && !areApart(outputPath(output), folder)) {
    throw wrong(
      `the folder of dead letters ${folder} and the output ${outputPath(output)} overlap, but each appears as a whole: choose another, or leave out ${words.deadLetters}, and they are in _dead-letters in the output`,
    );
  }
  return folder;
}

function wrong(message: string): MillraceError {
  return new MillraceError("wrong-usage", message);
}
