/** Whether a file is a test for a test runner, by its name: `millrace test` runs it, where it would check a job. */
export function isTestFile(path: string): boolean {
  return /\.(?:test|spec)\.[cm]?[jt]sx?$/.test(path);
}
