import { useBackend } from '@moe/backend';
import type { Benchmark } from '../benchmark.js';
import { convolutionRows } from './convolutions.js';
import { eagerRows } from './eager-op.js';
import { matrixRows } from './matrices.js';
import { startRows } from './start.js';
import { trainingRows } from './training.js';

/** Kernels of `@moe/backend` on wasm, and one operation and the start of `tensorflow`, against what they may cost. */
const backend: Benchmark = async function* (options) {
  await useBackend('wasm');
  yield* convolutionRows(options);
  yield* matrixRows(options);
  yield* trainingRows(options);
  yield* eagerRows(options);
  yield* startRows(options);
};

export default backend;
