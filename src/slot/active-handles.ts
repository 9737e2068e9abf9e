// Finds whatever keeps this process alive, whoever has opened it, to let it go (`unref`) and to keep it again.

/** Something that may keep a process alive. */
export interface Handle {
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

export function isHandle(resource: object): resource is Handle {
  return "ref" in resource && "unref" in resource && "hasRef" in resource && typeof resource.hasRef === "function";
}

/**
 * Lets go of all handles (connections, servers, processes) that keep the process now, and returns them. Requests are
 * not among them, as they can't be let go.
 */
export function letGoOfHandles(): readonly Handle[] {
  // Its official successor (`getActiveResourcesInfo`) gives only names.
  const { _getActiveHandles: active } = process as typeof process & { _getActiveHandles?(): readonly object[] };
  const handles: Handle[] = [];
  for (const owner of active?.call(process) ?? []) {
    const handle = handleOf(owner);
    if (handle?.hasRef() !== true) continue;
    handle.unref();
    handles.push(handle);
  }
  return handles;
}

/** The handle of an active thing: of a socket, server or process that is the object behind it. */
function handleOf(owner: object): Handle | undefined {
  const { _handle: own } = owner as { readonly _handle?: unknown };
  return [owner, own].find((one) => typeof one === "object" && one !== null && isHandle(one)) as Handle | undefined;
}

/** The longest time that a timer of Node can have. */
const neverMs = 2 ** 31 - 1;

/**
 * Lets go of all timers. Returns a function that keeps them again, to be called before anything asks Node what is
 * active: Node counts the timers that keep the process, gives no list of them, and can't be asked while a timer has
 * come that was taken off that count. May be repeated.
 */
export function letGoOfTimers(): () => void {
  const count = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const own = setTimeout(() => {}, neverMs).unref() as NodeJS.Timeout & { [key: symbol]: unknown };
  const mark = Object.getOwnPropertySymbols(own).find(({ description }) => description === "refed");
  let taken = 0;
  // In a Node that works differently, no timers are let go.
  for (; mark !== undefined && own[mark] === false && taken < count; taken++) {
    own[mark] = true; // as if it had been counted, so that it is taken off
    own.unref();
  }
  return () => {
    for (; mark !== undefined && taken > 0; taken--) {
      own.ref();
      own[mark] = false;
    }
    clearTimeout(own);
  };
}
