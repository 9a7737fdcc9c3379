import { tensor4d, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { apgd } from '../apgd.js';
import type { EvaluateOptions } from '../evaluate/evaluate.js';
import type { EvaluationState } from '../evaluate/state.js';
import { pgd } from '../pgd.js';
import { tinyDataset } from './datasets.js';
import { predictions, tinyNet } from './models.js';

export const net = tinyNet(4, 3, 5);

/** An evaluation of `net` over examples of which the first three are labelled wrong. */
export function task(count = 23): EvaluateOptions {
  const inputs = createRng(11).uniform(4 * count);
  const right = tidy(() => predictions(net, tensor4d(inputs, [count, 2, 2, 1])));
  const labels = Array.from(right, (label, i) => (i < 3 ? (label + 1) % 3 : label));
  return { model: net, data: tinyDataset(labels, inputs), attacks: [pgd({ eps: 0.1, steps: 5 }), apgd({ eps: 0.1, steps: 10 })], seed: 3, batchSize: 4 };
}

export function memoryState(): EvaluationState & { text: string | undefined } {
  const state = {
    text: undefined as string | undefined,
    read: async () => state.text,
    write: async (text: string) => void (state.text = text),
  };
  return state;
}
