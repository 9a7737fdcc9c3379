import { type Tensor1D, type Tensor4D, dispose, randomUniform, tensor1d } from '@tensorflow/tfjs-core';
import { useBackend } from '@moe/backend';
import type { BenchmarkOptions, MeasuredRow } from '../benchmark.js';
import { interleave } from '../timing.js';
import { quickModel, trainStep } from './quick-model.js';

const WIDTHS = [8, 16, 32];
const BATCH = 16;
/** A step must be twenty times as fast as on the cpu engine. */
const LIMIT = 1 / 20;

async function stepTime(engine: 'cpu' | 'wasm', rounds: number): Promise<number> {
  await useBackend(engine);
  const model = quickModel(WIDTHS);
  const images = randomUniform([BATCH, 28, 28, 1], 0, 1, 'float32', 1) as Tensor4D;
  const labels = tensor1d(Array.from({ length: BATCH }, (_, i) => i % 10), 'int32') as Tensor1D;
  const [milliseconds] = interleave([() => trainStep(model, images, labels)], rounds);
  model.dispose();
  dispose([images, labels]);
  return milliseconds;
}

/** A training step of a narrow ResNet on wasm against the same step on the cpu engine. */
export async function* trainingRows({ quick }: BenchmarkOptions): AsyncGenerator<MeasuredRow> {
  const theirs = await stepTime('cpu', quick ? 1 : 3);
  const ours = await stepTime('wasm', quick ? 20 : 60);
  yield { name: 'wasm/quick-model/train-step', ours, theirs, unit: 'ms', limit: LIMIT };
}
