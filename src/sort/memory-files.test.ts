import { runFilesConformance } from "../../test/conformance/run-files.ts";
import { createMemoryFiles } from "./memory-files.ts";

runFilesConformance("memory", createMemoryFiles);
