// zstd by WebAssembly, which compresses, and decodes whole frames where Node has no zstd of its own.
export interface Zstd {
  compress(bytes: Uint8Array, level: number): Uint8Array;
  decompress(frame: Uint8Array, options: { readonly defaultHeapSize: number }): Uint8Array;
}

let loading: Promise<Zstd> | undefined;

/** Loads and compiles it once per process, when it is first needed. */
export function loadZstd(): Promise<Zstd> {
  loading ??= (async () => {
    const zstd = await import("@bokuweb/zstd-wasm");
    await zstd.init();
    return zstd;
  })();
  return loading;
}
