/** The part of WebAssembly that is used here. Its types come with a browser's library, which this project leaves out. */
declare namespace WebAssembly {
  function instantiate(
    binary: Uint8Array,
    imports: Record<string, Record<string, unknown>>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
}
