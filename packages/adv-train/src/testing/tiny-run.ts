import { standard } from '../objectives/standard.js';
import { sgd } from '../optimizers/sgd.js';
import { constant } from '../schedules/constant.js';
import { train } from '../train.js';
import type { TrainOptions } from '../train-options.js';
import { tinyBatches } from './data.js';
import type { TestModel } from './models.js';

/** Two epochs of three steps on the rows of {@link tinyBatches}. */
export const tinyRun = (target: TestModel, changes: Partial<TrainOptions> = {}): ReturnType<typeof train> =>
  train({
    model: target.model,
    weights: target.weights,
    data: tinyBatches(12, 4),
    batchesPerEpoch: 3,
    epochs: 2,
    objective: standard(),
    optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-2 }),
    schedule: constant({ base: 0.1 }),
    seed: 3,
    ...changes,
  });
