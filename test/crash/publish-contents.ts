// What the publish scene stages: for the victim and for its check.
export const publishedJob = "0123456789abcdef0123456789abcdef";

export const newContents: Readonly<Record<string, string>> = {
  "part-00000.tsv": "new\n",
  "part-00001.tsv": "n".repeat(100_000),
  "rejects/part-m-00000.txt": "bad\n",
};
