import { type Attack, type Dataset, createRng, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type FeaturesFn, type SelfTest, selfTest } from './self-test.js';

export interface AttackSelfTestOptions {
  /** Attack under test; its options `eps` and `norm` say in which ball. */
  readonly attack: Attack;
  /** The model up to its last layer, or the whole of it; whatever makes its gradients hard belongs in here. */
  readonly features: FeaturesFn;
  readonly data: Dataset;
  readonly seed: number;
  /** How many examples to take, spread evenly. @defaultValue 16 */
  readonly examples?: number;
  /** Random points of each ball among which one is planted. @defaultValue 100 */
  readonly samples?: number;
  readonly signal?: AbortSignal;
}

/**
 * Whether an attack finds adversarial points that certainly exist.
 *
 * @remarks
 * For each example the last layer is replaced by a linear read-out with two classes that calls the example itself and all random points of its ball but one the first class, and that one the
 * second. An attack that is strong enough for the features finds that point, or another; one that misses it in over 5 % of the examples must not be used to call the model robust. Differs from
 * Zimmermann et al. in its read-out: the direction of one random point, and a threshold half-way to the next, instead of a fitted logistic regression, so that the planted point always exists.
 *
 * @returns Plain JSON; no tensor stays alive, also when it throws.
 * @throws {@link ArgumentError} if an option is unknown or wrong, or the attack names no ball.
 * @see {@link https://arxiv.org/abs/2206.13991 | Zimmermann et al. 2022}
 *
 * @example
 * const { passRate, randomPassRate } = await attackSelfTest({ attack: pgd({ eps: 8 / 255 }), features: penultimate, data, seed: 1 });
 */
export async function attackSelfTest(options: AttackSelfTestOptions): Promise<SelfTest> {
  expectKnownKeys('attackSelfTest', options, ['attack', 'features', 'data', 'seed', 'examples', 'samples', 'signal']);
  const { attack, features, data, seed, examples = 16, samples = 100, signal } = options;
  expectInteger('attackSelfTest', 'seed', seed, 0);
  expectInteger('attackSelfTest', 'examples', examples, 1);
  expectInteger('attackSelfTest', 'samples', samples, 2);
  const { eps, norm } = attack.options as { readonly eps?: number; readonly norm?: AttackNorm };
  expectArgument('attackSelfTest', 'attack.options.eps', typeof eps === 'number' && eps > 0, 'be a positive number', eps);
  expectArgument('attackSelfTest', 'attack.options.norm', norm !== undefined && norm in GEOMETRIES, `be one of ${Object.keys(GEOMETRIES).join(', ')}`, norm);
  const count = Math.min(examples, data.length);
  const { inputs, ids, shape } = await data.read(Array.from({ length: count }, (_, i) => Math.floor((i * data.length) / count)));
  const subject = { inputs, ids: Array.from(ids), shape: shape.slice(1), size: inputs.length / count, bounds: data.bounds, eps, norm, rng: createRng(seed), signal };
  return selfTest(subject, attack, features, count, samples);
}
