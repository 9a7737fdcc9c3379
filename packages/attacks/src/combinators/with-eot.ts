import { type Attack, expectInteger } from '@moe/core';
import { type CombinedOptions, combinedOptions } from './combined.js';

/** What is recorded of {@link withEot}. */
export interface EotOptions extends CombinedOptions {
  readonly draws: number;
}

/**
 * An attack on the expectation over a randomised model's noise.
 *
 * @remarks
 * Every loss and every gradient is the mean over so many passes, each with a draw of its own; a row counts as fooled where more than half of them are. The model takes its noise
 * from the second argument, see `LogitsFn`. All rows of a pass share a draw, each pass has new ones. Differs from AutoAttack, which goes by the last draw alone when it judges a point. Every
 * attack of this package takes part; one of somebody else's must read `draws` of its context. Costs so many times as much.
 *
 * @param attack - without `compile`: compiled passes have no noise.
 * @param draws  - passes for each of the attack's own.
 * @returns A frozen attack named `NAME:eot-N`, with the random starts of the attack alone.
 * @throws {@link ArgumentError} if `draws` is not an integer ≥ 1.
 * @see {@link https://arxiv.org/abs/1707.07397 | Athalye et al. 2018}, Sec. 2.1.
 *
 * @example
 * const attack = withEot(pgd({ eps: 8 / 255 }), 20);
 * const noisy = (x, draw) => model(add(x, draw.rng.normal(1)[0] / 10));
 */
export function withEot(attack: Attack, draws: number): Attack<EotOptions> {
  expectInteger('withEot', 'draws', draws, 1);
  return Object.freeze<Attack<EotOptions>>({
    name: `${attack.name}:eot-${draws}`,
    options: Object.freeze({ ...combinedOptions([attack]), draws }),
    access: attack.access,
    perturb: (model, inputs, labels, context) => attack.perturb(model, inputs, labels, { ...context, draws }),
  });
}
