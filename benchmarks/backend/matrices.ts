import { dispose, matMul, randomNormal, tidy } from '@tensorflow/tfjs-core';
import type { BenchmarkOptions, MeasuredRow } from '../benchmark.js';
import { interleave } from '../timing.js';

const SIZE = 512;
const LIMIT = 2;

/** Matrix products with transposed factors against the plain product of the same size. */
export async function* matrixRows({ quick }: BenchmarkOptions): AsyncGenerator<MeasuredRow> {
  const a = randomNormal([SIZE, SIZE], 0, 1, 'float32', 1);
  const b = randomNormal([SIZE, SIZE], 0, 1, 'float32', 2);
  // Read, because some products wait until somebody uses them.
  const product = (transposeA: boolean, transposeB: boolean) => () => tidy(() => void matMul(a, b, transposeA, transposeB).dataSync());
  const [plain, transA, transB, both] = interleave([product(false, false), product(true, false), product(false, true), product(true, true)], quick ? 15 : 60);
  yield { name: 'wasm/matmul/transpose-a', ours: transA, theirs: plain, unit: 'ms', limit: LIMIT };
  yield { name: 'wasm/matmul/transpose-b', ours: transB, theirs: plain, unit: 'ms', limit: LIMIT };
  yield { name: 'wasm/matmul/transpose-ab', ours: both, theirs: plain, unit: 'ms', limit: LIMIT };
  dispose([a, b]);
}
