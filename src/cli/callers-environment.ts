// The caller's environment as it was when the command began. A command that runs the job's code in its own process
// replaces its environment by that of a slot (here.ts).

export const callersEnvironment: Readonly<NodeJS.ProcessEnv> = { ...process.env };
