import { expectKnownKeys, expectNumber } from '@moe/core';
import { type CrossEntropyOptions, classificationLoss } from './classification-loss.js';
import type { SingleObjective } from './objective.js';

/**
 * Ordinary training: mean cross-entropy on the clean batch plus the model's balance losses.
 *
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 *
 * @example
 * await train({ …, objective: standard() });
 */
export function standard(options: CrossEntropyOptions = {}): SingleObjective<Required<CrossEntropyOptions>> {
  expectKnownKeys('standard', options, ['labelSmoothing']);
  const { labelSmoothing = 0 } = options;
  expectNumber('standard', 'labelSmoothing', labelSmoothing, 0, 1);
  return {
    name: 'standard',
    options: { labelSmoothing },
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward'), { labelSmoothing, auxWeight: 1 }),
  };
}
