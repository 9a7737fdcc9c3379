import { type Rng, expectArgument } from '@moe/core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { dropout } from '../ops/dropout.js';
import type { CallArguments } from './call-arguments.js';

/** Dropout at a place of a layer, such as `'hidden'`; draws of different places differ. */
export type Drop = <T extends Tensor>(x: T, place: string) => T;

/** What a layer drops in a pass: nothing in evaluation, and in training what `rng` of the pass says. */
export function dropping(layer: string, rate: number, { training, moe }: CallArguments, path: readonly string[] = []): Drop {
  if (!training || rate === 0) return (x) => x;
  const rng = moe?.options.rng;
  expectArgument('forward', 'rng', rng !== undefined, `be given, because '${layer}' drops in training`, rng, 'Train through moeModel.');
  const own = [layer, 'dropout', ...path].reduce<Rng>((parent, name) => parent.stream(name), rng);
  return (x, place) => dropout(x, rate, own.stream(place));
}
