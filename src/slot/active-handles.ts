// What keeps this process alive, whoever has opened it: let go (`unref`) and kept again.

/** What can keep a process alive, or not. */
export interface Handle {
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

export function isHandle(resource: object): resource is Handle {
  return "ref" in resource && "unref" in resource && "hasRef" in resource && typeof resource.hasRef === "function";
}

/** All handles (connections, servers, processes) that keep it now; not requests, which can't be let go. */
export function letGoOfHandles(): readonly Handle[] {
  // What takes its place (`getActiveResourcesInfo`) gives names only.
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

/** A socket, server or process is not asked itself, but what it has of Node's. */
function handleOf(owner: object): Handle | undefined {
  const { _handle: own } = owner as { readonly _handle?: unknown };
  return [owner, own].find((one) => typeof one === "object" && one !== null && isHandle(one)) as Handle | undefined;
}

/** Node's longest. */
const neverMs = 2 ** 31 - 1;

/**
 * All timers. Returns what keeps them again, to be called before anything asks Node what is active: it counts the timers that keep
 * the process, gives nobody a list, and can't be asked while one has come that was taken off that count. May be repeated.
 */
export function letGoOfTimers(): () => void {
  const count = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const own = setTimeout(() => {}, neverMs).unref() as NodeJS.Timeout & { [key: symbol]: unknown };
  const mark = Object.getOwnPropertySymbols(own).find(({ description }) => description === "refed");
  let taken = 0;
  // A Node that does it in another way lets go of none.
  for (; mark !== undefined && own[mark] === false && taken < count; taken++) {
    own[mark] = true; // as if it had been counted, so that it is taken off
    own.unref();
  }
  return () => {
    for (; taken > 0; taken--) {
      own.ref();
      own[mark!] = false;
    }
    clearTimeout(own);
  };
}
