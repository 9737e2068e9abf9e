// One run of the job by the engine that `millrace run` uses, with settings that must not change its result.
import { limits } from "../../base/limits.ts";
import { type Experiment, type LocalEngine, openLocal, type SubmitOptions } from "../../engine/local/open.ts";
import type { FailureText } from "../../protocol/messages.ts";
import type { JobView } from "../../protocol/view.ts";
import { type Published, readPublished } from "./content.ts";

export interface Settings {
  readonly slots: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly splitBytes: number | undefined;
  readonly experiment: Experiment;
}

export interface WholeRunOptions {
  readonly module: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A private folder. Everything that the run leaves is in it. */
  readonly folder: string;
  readonly submit: SubmitOptions;
  readonly signal: AbortSignal;
}

export type WholeRun =
  | {
      readonly kind: "succeeded";
      readonly view: JobView;
      readonly published: Published;
      /** Removes the result. Call it once it is compared. */
      close(): Promise<void>;
    }
  | { readonly kind: "failed"; readonly reason: FailureText }
  | { readonly kind: "cancelled" };

/** Throws what `openLocal` and `submit` throw. */
export async function wholeRun(options: WholeRunOptions, settings: Settings): Promise<WholeRun> {
  const { module, environment, folder, submit, signal } = options;
  const { slots, memoryBytes, splitBytes, experiment } = settings;
  // A run without an output keeps nothing for --resume.
  const engine = await openLocal({ module, environment, workDir: folder, slots, memoryBytes, experiment, signal });
  try {
    const own = { ...submit, ...(splitBytes !== undefined && { splitBytes }), ...interrupted(submit, experiment) };
    const view = await toTheEnd(engine, own, signal);
    if (view.state === "succeeded") {
      await engine.stop();
      const published = await readPublished(engine.storage, engine.destination, engine.description);
      return { kind: "succeeded", view, published, close: () => engine.close() };
    }
    await engine.close();
    if (view.state === "cancelled") return { kind: "cancelled" };
    return { kind: "failed", reason: view.reason ?? unknownReason };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** An interruption counts as a try at the task. */
function interrupted(submit: SubmitOptions, { interrupting }: Experiment): Partial<SubmitOptions> {
  if (interrupting !== true) return {};
  return { checkpointMs: limits.checkpointMs, attempts: (submit.attempts ?? limits.attemptsMax) + 1 };
}

async function toTheEnd(engine: LocalEngine, submit: SubmitOptions, signal: AbortSignal): Promise<JobView> {
  const handle = await engine.submit(submit);
  const cancel = () => void handle.cancel().catch(() => {}); // `ended` tells whether it was cancelled
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await handle.ended;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

const unknownReason: FailureText = {
  code: "job-failed",
  message: "the job failed, and no reason is known",
  stack: undefined,
  where: undefined,
  excerpt: undefined,
};
