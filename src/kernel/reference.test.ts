import { describe } from "vitest";
import { kernelConformance } from "../../test/conformance/kernel.ts";
import { createReferenceKernel } from "./reference.ts";

describe("reference kernel", () => kernelConformance(createReferenceKernel));
