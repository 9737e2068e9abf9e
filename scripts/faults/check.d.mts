export const pagePath: string;
export function checkNumbers(root: string): Promise<{ readonly page: string; readonly problems: readonly string[] }>;
