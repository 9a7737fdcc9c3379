import { classificationLoss } from './classification-loss.js';
import type { Objective } from './objective.js';

/**
 * Ordinary training: mean cross-entropy on the clean batch plus the model's balance losses.
 *
 * @example
 * await train({ …, objective: standard() });
 */
export function standard(): Objective {
  return {
    name: 'standard',
    options: {},
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward')),
  };
}
