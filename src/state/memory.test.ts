import { storeConformance } from "../../test/conformance/store.ts";
import { createMemoryStore } from "./memory.ts";

storeConformance("memory", async () => ({ store: createMemoryStore() }));
