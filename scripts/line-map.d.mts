export interface SourceMapJson {
  readonly version: number;
  readonly sources: readonly string[];
  readonly names?: readonly string[];
  readonly mappings: string;
}

/** The map without the segments that go on in the line of source of the one before. */
export function lineMap<M extends SourceMapJson>(map: M): M;
