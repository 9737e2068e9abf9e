// fault 64: an output is as before or complete, wherever the process dies that publishes it.
import { publishScenes } from "./publish.ts";
import { crashTests } from "./suite.ts";

crashTests(publishScenes.map((scene, index) => ({ scene, stride: [12, 16][index]! })));
