// A command line as words, without a shell: spaces part them; quotes and backslashes hold them together, as in a shell.
import { MillraceError } from "./error.ts";

/** Throws `wrong-usage`; `what` is the option that the text is of. */
export function parseWords(text: string, what: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: "'" | '"' | undefined;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quote === undefined && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === quote) {
      quote = undefined;
    } else if (quote === undefined && (char === "'" || char === '"')) {
      quote = char;
      word ??= "";
    } else if (char === "\\" && quote !== "'" && (quote === undefined || /["\\]/.test(text[i + 1] ?? ""))) {
      if (++i === text.length) throw refused(text, what, "ends with a backslash");
      word = (word ?? "") + text[i]!;
    } else word = (word ?? "") + char;
  }
  if (quote !== undefined) throw refused(text, what, `has a ${quote} that is not closed`);
  if (word !== undefined) words.push(word);
  if (words.length === 0 || words[0] === "") throw refused(text, what, "names no program");
  if (text.includes("\0")) throw refused(text, what, "has a NUL character");
  return words;
}

function refused(text: string, what: string, why: string): MillraceError {
  return new MillraceError(
    "wrong-usage",
    `${what} is a program and its arguments, like 'xz -dc': ${JSON.stringify(text)} ${why}`,
  );
}
