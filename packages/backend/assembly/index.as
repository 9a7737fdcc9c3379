// AssemblyScript: compiled by `pnpm assembly` into src/wasm/binary.ts. Works on the memory of tfjs' wasm engine and owns none itself.
export { conv2dFilterGradient, depthwiseGradients } from './convolution';
export { copyStrided, gatherBlocks } from './copy';
export { binary, clip, compare, reluGradient, select, sign } from './elementwise';
export { conv2d } from './forward';
export { spread, transposeMatrix } from './layout';
export { normalizeRows } from './normalize';
export { maxPoolGradient } from './pooling';
export { sum } from './reduce';
export { addToSegments, transposedProduct } from './rows';
