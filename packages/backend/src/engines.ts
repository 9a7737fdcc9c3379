/** Engines that {@link useBackend} can start. `'tensorflow'` runs in Node alone, and has to be installed. */
export type EngineName = 'tensorflow' | 'wasm' | 'cpu';
