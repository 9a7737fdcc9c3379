import { type Objective, constant, sgd, standard, train } from '@moe/adv-train';
import type { Batch, Compile, MoeModel, Weight } from '@moe/core';

/** Runs `train` of `@moe/adv-train` one step at a time: every call of the result lets it take one more and gives that step's loss. */
export function steppedTraining(model: MoeModel, weights: readonly Weight[], batch: Batch, compile?: Compile, objective: Objective = standard()): () => Promise<number> {
  let start = (): void => {};
  let finish = (_loss: number): void => {};
  let fail = (_error: unknown): void => {};
  let asked = new Promise<void>((resolve) => (start = resolve));
  const run = train({
    model,
    weights,
    data: async function* () {
      for (;;) {
        await asked;
        asked = new Promise<void>((resolve) => (start = resolve));
        yield batch;
      }
    },
    batchesPerEpoch: Number.MAX_SAFE_INTEGER,
    epochs: 1,
    objective,
    optimizer: sgd({ momentum: 0.9 }),
    schedule: constant({ base: 1e-3 }),
    seed: 1,
    ...(compile && { compile }),
    onEvent: (event) => {
      if (event.type === 'step') finish(event.loss);
    },
  });
  run.catch((error: unknown) => fail(error));
  return () =>
    new Promise((resolve, reject) => {
      finish = resolve;
      fail = reject;
      start();
    });
}
