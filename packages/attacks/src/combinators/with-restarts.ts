import { type Attack, expectInteger } from '@moe/core';
import { type CombinedOptions, attackRows, combinedOptions, createOutcome, everyRow, put } from './combined.js';
import { toPerturbation } from '../internal/problem.js';

/** What is recorded of {@link withRestarts}. */
export interface RestartedOptions extends CombinedOptions {
  readonly restarts: number;
}

/**
 * An attack run several times with other draws, for attacks without restarts of their own.
 *
 * @remarks
 * The first run is that of the attack alone; later ones attack only what still stands and keep the higher loss, so more restarts never do worse. An attack whose goal is not
 * `'misclassify'` runs on every row every time; with `'maxLoss'` the highest loss wins, whether it fools the model or not.
 *
 * @param attack   - with random draws; others would do the same each time.
 * @param restarts - runs in all.
 * @returns A frozen attack named `NAME:restarts-N`.
 * @throws {@link ArgumentError} if `restarts` is not an integer ≥ 1.
 *
 * @example
 * const attack = withRestarts(fgsm({ eps: 8 / 255, start: 'uniform' }), 5);
 */
export function withRestarts(attack: Attack, restarts: number): Attack<RestartedOptions> {
  expectInteger('withRestarts', 'restarts', restarts, 1);
  const name = `${attack.name}:restarts-${restarts}`;
  const options = combinedOptions([attack]);
  const { goal = 'misclassify' } = options;
  return Object.freeze<Attack<RestartedOptions>>({
    name,
    options: Object.freeze({ ...options, restarts }),
    access: attack.access,
    perturb(model, inputs, labels, context) {
      const outcome = createOutcome(name, inputs, labels, context, options.bounds);
      let rows = everyRow(outcome);
      for (let run = 0; run < restarts && rows.length > 0; run++) {
        const rng = run === 0 ? context.rng : context.rng.stream('restart').at(run);
        attackRows(outcome, attack, model, rows, { ...context, rng }, (row, point, success, loss) => {
          const better = goal === 'misclassify' && success === 1 ? outcome.wrong[row] === 0 : loss > outcome.loss[row]!;
          if (run === 0 || better) put(outcome, row, point, success, loss);
        });
        if (goal === 'misclassify') rows = rows.filter((row) => outcome.wrong[row] === 0);
      }
      return toPerturbation(outcome, outcome);
    },
  });
}
