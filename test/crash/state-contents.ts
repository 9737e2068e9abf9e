// What the state scene commits: for the victim and for its check.

/** A commit has 300 kB, and LevelDB's buffer 4 MB: the second half of them makes a table. */
export const stateCommits = 24;
/** Commits whose records are there at the same time. */
export const stateKept = 5;

export const stateKey = (commit: number): string => `n/${String(commit).padStart(3, "0")}`;
export const stateValue = (commit: number): Uint8Array => Buffer.alloc(300_000, commit);
