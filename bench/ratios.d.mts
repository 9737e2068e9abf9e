export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}
export type Goal = { readonly atMost: number; readonly atLeast?: never } | { readonly atLeast: number };
export interface RatioRow extends Spread {
  readonly size: number | undefined;
  readonly goal?: Goal | undefined;
  readonly better?: "larger" | undefined;
}
export function median(values: readonly number[]): number;
export function spread(values: readonly number[]): Spread;
export function ratio<Figure extends string = "seconds">(
  a: readonly Readonly<Record<Figure, number>>[],
  b: readonly Readonly<Record<Figure, number>>[],
  figure?: Figure,
): Spread;
export function meetsGoal(row: Pick<RatioRow, "median" | "goal">): boolean | undefined;
export function goalText(goal: Goal | undefined): string;
export function comparedWithRecorded(
  row: RatioRow,
  recorded: RatioRow | undefined,
): { readonly recorded: number; readonly worse: number; readonly regressed: boolean } | undefined;
