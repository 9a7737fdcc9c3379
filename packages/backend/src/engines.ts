/** Engines that {@link useBackend} can start. `'tensorflow'` runs in Node alone, and has to be installed; `'webgpu'` needs a GPU, and packages of its own. */
export type EngineName = 'tensorflow' | 'webgpu' | 'wasm' | 'cpu';
