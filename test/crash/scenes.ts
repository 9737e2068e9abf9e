// All that is interrupted.
import { publishScenes } from "./publish.ts";
import type { Scene } from "./scene.ts";
import { stateScene } from "./state.ts";

export const scenes: readonly Scene[] = [...publishScenes, stateScene];
