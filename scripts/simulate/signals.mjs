// Abort signals for simulated worlds: what AbortController of Node does, as far as the product uses it, without its
// events, DOMExceptions and finalizers, which are a fifth of a world's time. A world makes thousands of them.
class Signal {
  // Lets `setMaxListeners` of node:events take it, which has nothing to do here.
  static [Symbol.for("nodejs.event_target")] = true;

  aborted = false;
  reason = undefined;
  /** Listeners by identity, in the order in which they came, as an EventTarget calls them. */
  #listeners = new Set();
  /** Signals made of this one and others. */
  #dependents = [];

  throwIfAborted() {
    if (this.aborted) throw this.reason;
  }

  addEventListener(type, listener, options) {
    if (type !== "abort" || typeof listener !== "function" || Object.keys(options ?? {}).some((key) => key !== "once"))
      throw new Error("a simulated world listens in a way that scripts/simulate/signals.mjs does not know");
    // It comes once, whatever `once` says. One that comes too late is never called, as with Node's own.
    if (!this.aborted) this.#listeners.add(listener);
  }

  removeEventListener(_type, listener) {
    this.#listeners.delete(listener);
  }

  static abort(signal, reason) {
    if (signal.aborted) return;
    const all = [signal, ...signal.#dependents.filter(({ aborted }) => !aborted)];
    for (const one of all) {
      one.aborted = true;
      one.reason = reason;
    }
    for (const one of all) one.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) {
      this.#listeners.delete(listener);
      try {
        listener.call(this, { type: "abort", target: this });
      } catch (error) {
        // It ends the process, as what a listener of Node's own throws.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  static any(signals) {
    const any = new Signal();
    const over = signals.find(({ aborted }) => aborted);
    if (over !== undefined) Signal.abort(any, over.reason);
    else for (const signal of signals) signal.#dependents.push(any);
    return any;
  }
}

class Controller {
  signal = new Signal();

  abort(reason = aborted) {
    Signal.abort(this.signal, reason);
  }
}

const aborted = new DOMException("This operation was aborted", "AbortError");

export function installSignals() {
  const abort = (reason = aborted) => {
    const signal = new Signal();
    Signal.abort(signal, reason);
    return signal;
  };
  globalThis.AbortController = Controller;
  globalThis.AbortSignal = { any: Signal.any, abort };
}
