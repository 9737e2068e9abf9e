// What doc comments say, as Markdown.
import ts from "typescript";

/** The paragraphs of a declaration's doc comment, what it throws, and its examples. */
export function docOf(node) {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).slice(-1);
  const tags = comments.flatMap((comment) => [...(comment.tags ?? [])]);
  const ofTags = (name) =>
    tags.filter(({ tagName }) => tagName.text === name).map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "");
  const text = comments.map((comment) => ts.getTextOfJSDocComment(comment.comment) ?? "").join("\n\n");
  return {
    text: text
      .split(/\n\s*\n/)
      .map(inOneLine)
      .filter((paragraph) => paragraph !== ""),
    throws: ofTags("throws").map(inOneLine),
    examples: ofTags("example").map((code) => code.replace(/^\n+|\s+$/g, "")),
  };
}

/** A text that is wrapped, in one line. */
export function inOneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

/** Code that the formatter has broken into lines, in one line. */
export function tidy(code) {
  return inOneLine(code)
    .replace(/([(<[]) /g, "$1")
    .replace(/,? ([)>\]])/g, "$1")
    .replace(/([:=(<]) ?\| /g, (_, before) => (before === ":" || before === "=" ? `${before} ` : before));
}

/** Code within a line of text. */
export function inline(code) {
  return code.includes("`") ? `\`\` ${code} \`\`` : `\`${code}\``;
}
