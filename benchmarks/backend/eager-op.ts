import { findTensorflow } from '@moe/backend/node';
import { useBackend } from '@moe/backend';
import { add, dispose, randomNormal } from '@tensorflow/tfjs-core';
import koffi from 'koffi';
import type { BenchmarkOptions, MeasuredRow } from '../benchmark.js';
import { interleave } from '../timing.js';

/** Operations between two readings of the clock. */
const OPERATIONS = 2000;
const LIMIT = 1.3;

const FLOAT = 1;
const BYTES = 4;
const SHAPE = [2, 2];

/** The calls without which one addition of two tensors cannot be made, and its result not be known to tfjs. */
function bareAddition(libraries: readonly string[]): () => void {
  const objects = libraries.map((path) => koffi.load(path)).reverse();
  const find = (declaration: string): ((...args: unknown[]) => unknown) => {
    for (const object of objects) {
      try {
        return object.func(declaration);
      } catch {
        // In another object.
      }
    }
    throw new Error(`${declaration} is in none of ${libraries.join(', ')}`);
  };
  const newOp = find('void *TFE_NewOp(void *, str, void *)');
  const addInput = find('void TFE_OpAddInput(void *, void *, void *)');
  const execute = find('void TFE_Execute(void *, void *, void *, void *)');
  const deleteOp = find('void TFE_DeleteOp(void *)');
  const getCode = find('int TF_GetCode(void *)');
  const rankOf = find('int TFE_TensorHandleNumDims(void *, void *)');
  const sideOf = find('int64_t TFE_TensorHandleDim(void *, int, void *)');
  const typeOf = find('int TFE_TensorHandleDataType(void *)');
  const deleteHandle = find('void TFE_DeleteTensorHandle(void *)');

  const status: unknown = find('void *TF_NewStatus()')();
  const context: unknown = find('void *TFE_NewContext(void *, void *)')(find('void *TFE_NewContextOptions()')(), status);
  const tensor: unknown = find('void *TF_AllocateTensor(int, void *, int, size_t)')(FLOAT, BigInt64Array.from(SHAPE, BigInt), SHAPE.length, BYTES * 4);
  const x: unknown = find('void *TFE_NewTensorHandle(void *, void *)')(tensor, status);
  const outputs = new BigUint64Array(1);
  const counts = new Int32Array(1);
  return () => {
    const op: unknown = newOp(context, 'AddV2', status);
    addInput(op, x, status);
    addInput(op, x, status);
    counts[0] = 1;
    execute(op, outputs, counts, status);
    if (getCode(status) !== 0) throw new Error('AddV2 failed');
    deleteOp(op);
    const result = outputs[0];
    const rank = rankOf(result, status) as number;
    for (let i = 0; i < rank; i++) sideOf(result, i, status);
    typeOf(result);
    deleteHandle(result);
  };
}

/** One small operation through tfjs and the engine `tensorflow` against the bare calls of TensorFlow's C interface; nothing where it is not installed. */
export async function* eagerRows({ quick }: BenchmarkOptions): AsyncGenerator<MeasuredRow> {
  const installation = findTensorflow();
  if (installation === undefined) return;
  await useBackend('tensorflow', { threads: 1 });
  const bare = bareAddition(installation.libraries);
  const [a, b] = [randomNormal([2, 2], 0, 1, 'float32', 1), randomNormal([2, 2], 0, 1, 'float32', 2)];
  const repeat = (once: () => void) => () => {
    for (let i = 0; i < OPERATIONS; i++) once();
  };
  // A quick run is too short to judge a few microseconds, so it sets no limit.
  const [ours, theirs] = interleave([repeat(() => add(a, b).dispose()), repeat(bare)], quick ? 15 : 60);
  const microseconds = (milliseconds: number): number => (milliseconds * 1000) / OPERATIONS;
  yield { name: 'tensorflow/eager-op', ours: microseconds(ours), theirs: microseconds(theirs), unit: 'us', ...(!quick && { limit: LIMIT }) };
  dispose([a, b]);
}
