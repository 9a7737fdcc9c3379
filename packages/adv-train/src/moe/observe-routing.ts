import { type AttackNorm, apgd, evaluateRouting, relaxedGates } from '@moe/attacks';
import { type Dataset, expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { evaluatedModel } from '../internal/evaluated.js';
import type { Observer } from '../observer.js';
import { loadEntropy } from './load-entropy.js';

/** Options of {@link observeRouting}. */
export interface ObserveRoutingOptions {
  /** Labelled inputs of which the first are looked at: a slice of the training or validation set, never of the test set. */
  readonly data: Dataset;
  /** Radius of the ball, in input units. */
  readonly eps: number;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Examples. @defaultValue 64 */
  readonly limit?: number;
  /** Steps of each attack. @defaultValue 10 */
  readonly steps?: number;
  /** Decides the starts of the attacks. @defaultValue 0 */
  readonly seed?: number;
  /** Epochs from one look to the next. @defaultValue 1 */
  readonly every?: number;
}

/** What {@link observeRouting} sees of a layer; shares of the examples, in [0, 1]. */
export interface ObservedLayer {
  readonly layer: string;
  /** Entropy of how often experts are chosen for clean inputs, over that of even use. */
  readonly loadEntropy: number;
  /** Examples that other experts see under the attack that knows no routing. */
  readonly flipRate: number;
  /** RA-R: examples for which no search found a flip of the route within `eps`. */
  readonly stable: number;
  /** RA-E: robust accuracy with each expert alone in the layer, `[E]`. */
  readonly experts: readonly number[];
}

/** What {@link observeRouting} records of an epoch. */
export interface ObservedRouting {
  readonly cleanAccuracy: number;
  /** RA: examples that neither AutoPGD nor AutoPGD through relaxed gates fooled. */
  readonly robustAccuracy: number;
  /** What the second found and the first did not. */
  readonly maskingGap: number;
  readonly layers: readonly ObservedLayer[];
}

/**
 * Telemetry of routing while a model trains: how evenly experts are used, and what an attack on a few fixed examples does to routes, to the model, and to each expert by itself.
 *
 * @remarks
 * {@link evaluateRouting} of `@moe/attacks` with few steps: AutoPGD, AutoPGD through relaxed gates, and AutoPGD on each expert. For curves over epochs, not for results. Looks at the same examples from
 * the same starts each time, and changes nothing. A look costs about `limit · (steps + 1) · (2 + 2 E + Σ E)` forward and backward passes of one example, where E counts all experts.
 *
 * @returns An observer named `routing`, whose record is {@link ObservedRouting}.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `observe` throws if the model has no MoE layers.
 *
 * @example
 * await train({ …, observers: [observeRouting({ data: validation, eps: 8 / 255, every: 5 })] });
 */
export function observeRouting(options: ObserveRoutingOptions): Observer {
  expectKnownKeys('observeRouting', options, ['data', 'eps', 'norm', 'limit', 'steps', 'seed', 'every']);
  const { data, eps, norm = 'Linf', limit = 64, steps = 10, seed = 0, every = 1 } = options;
  expectArgument('observeRouting', 'data', typeof data?.read === 'function', 'be a Dataset', data);
  expectNumber('observeRouting', 'eps', eps, 0);
  expectInteger('observeRouting', 'limit', limit, 1);
  expectInteger('observeRouting', 'steps', steps, 1);
  expectInteger('observeRouting', 'seed', seed, 0);
  expectInteger('observeRouting', 'every', every, 1);
  const ball = { eps, norm, bounds: data.bounds, steps };
  const attacks = { standard: apgd({ ...ball, label: 'standard' }), adaptive: relaxedGates({ ...ball, temperatures: [1] }), expertAttack: apgd({ ...ball, label: 'expert' }) };
  return {
    name: 'routing',
    options: { data: data.name, split: data.split, eps, norm, limit, steps, seed },
    every,
    observe: async (model, _epoch, signal) => {
      const { clean, worstCase, maskingGap, layers } = await evaluateRouting({ model: evaluatedModel(model), data, eps, norm, seed, limit, ...attacks, ...(signal !== undefined && { signal }) });
      return {
        cleanAccuracy: clean.accuracy,
        robustAccuracy: worstCase.robustAccuracy,
        maskingGap,
        layers: layers.map(({ layer, flipRate, stable, experts }) => ({
          layer,
          loadEntropy: loadEntropy(experts.map(({ chosen }) => chosen)),
          flipRate,
          stable: stable.share,
          experts: experts.map(({ alone }) => alone.robustAccuracy),
        })),
      } satisfies ObservedRouting;
    },
  };
}
