// fault 31, 37: the state store, whose process dies or whose disk fails.
import { stateScene } from "./state.ts";
import { crashTests } from "./suite.ts";

crashTests([{ scene: stateScene, stride: 97 }]);
