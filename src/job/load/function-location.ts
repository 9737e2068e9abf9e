// Finds where a function of the job's code begins in its source, for an error whose stack has no line of that code, as
// when `emit` itself was given to a promise. Only V8's debugger knows that; the session is this process's own and opens
// no port.
import type { InspectorNotification, Session } from "node:inspector";

/** V8's protocol counts from 0. */
interface Location {
  readonly scriptId: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

interface InternalProperty {
  readonly name: string;
  readonly value?: { readonly objectId?: string; readonly value?: unknown };
}

/** A bound function is followed to the function that it was made from; no one binds more often than this. */
const boundMax = 10;

/**
 * "file:///jobs/a.ts:12:5", by the source map if there is one; undefined where it can't be known. Takes milliseconds.
 */
export function locationOfFunction(code: object): string | undefined {
  try {
    const { Session } = process.getBuiltinModule("node:inspector");
    const session = new Session();
    session.connect();
    try {
      const location = locationOf(session, code);
      return location === undefined ? undefined : shownLocation(urlOf(session, location.scriptId), location);
    } finally {
      session.disconnect();
    }
  } catch {
    return undefined; // this Node has no inspector
  }
}

function locationOf(session: Session, code: object): Location | undefined {
  let of = asked(code, () => objectOf(session));
  for (let depth = 0; of !== undefined && depth <= boundMax; depth++) {
    const properties = propertiesOf(session, of);
    const location = properties.find(({ name }) => name === "[[FunctionLocation]]");
    if (location !== undefined) return location.value?.value as Location | undefined;
    of = properties.find(({ name }) => name === "[[TargetFunction]]")?.value?.objectId;
  }
  return undefined;
}

const key = Symbol.for("millrace.asked");

/** The protocol knows objects only by expressions. */
function asked<T>(code: object, question: () => T): T {
  const holder = globalThis as { [key]?: object };
  holder[key] = code;
  try {
    return question();
  } finally {
    delete holder[key];
  }
}

/** A session of the same thread answers before `post` returns. */
function objectOf(session: Session): string | undefined {
  let id: string | undefined;
  const expression = 'globalThis[Symbol.for("millrace.asked")]';
  session.post("Runtime.evaluate", { expression, silent: true }, (_, answer) => (id = answer?.result.objectId));
  return id;
}

function propertiesOf(session: Session, objectId: string): readonly InternalProperty[] {
  let properties: readonly InternalProperty[] = [];
  session.post("Runtime.getProperties", { objectId, ownProperties: true }, (_, answer) => {
    properties = answer?.internalProperties ?? [];
  });
  return properties;
}

function urlOf(session: Session, scriptId: string): string | undefined {
  let url: string | undefined;
  const parsed = ({ params }: InspectorNotification<{ scriptId: string; url: string }>) => {
    if (params.scriptId === scriptId) url = params.url;
  };
  session.on("Debugger.scriptParsed", parsed);
  session.post("Debugger.enable"); // reports all existing scripts
  return url;
}

function shownLocation(url: string | undefined, { lineNumber, columnNumber }: Location): string | undefined {
  if (url === undefined || url === "") return undefined;
  const [line, column] = [lineNumber + 1, columnNumber + 1];
  const source = process.getBuiltinModule("node:module").findSourceMap(url)?.findOrigin(line, column);
  return source !== undefined && "fileName" in source
    ? `${source.fileName}:${source.lineNumber}:${source.columnNumber}`
    : `${url}:${line}:${column}`;
}
