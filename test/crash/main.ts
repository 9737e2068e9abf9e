// Explores scenes for `npm run crash` (scripts/crash.mjs).
import { bundleVictims } from "./bundle.ts";
import { explore, type Report } from "./explore.ts";
import { scenes } from "./scenes.ts";
import { canTrace } from "./strace.ts";

export { canTrace };

export async function exploreAll(
  root: string,
  options: {
    readonly only: string | undefined;
    readonly stride: number;
    readonly seed: number;
    readonly processes: number;
    readonly onReport: (report: Report, seconds: number) => void;
  },
): Promise<readonly Report[]> {
  const chosen = scenes.filter(({ name }) => options.only === undefined || name.includes(options.only));
  const victims = await bundleVictims(root, [...new Set(chosen.map(({ victim }) => victim))]);
  const reports: Report[] = [];
  try {
    for (const scene of chosen) {
      const started = performance.now();
      const report = await explore(scene, { ...options, victims, errors: Object.keys(scene.codes) });
      reports.push(report);
      options.onReport(report, (performance.now() - started) / 1000);
    }
  } finally {
    victims.remove();
  }
  return reports;
}
