/** Engines that {@link useBackend} can start. */
export type EngineName = 'wasm' | 'cpu';
