// What the caller's environment was when the command began. A command that runs the job's code in its own process takes on that of
// a slot (here.ts).

export const callersEnvironment: Readonly<NodeJS.ProcessEnv> = { ...process.env };
