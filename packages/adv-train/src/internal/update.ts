import { type Scalar, type Tensor, add, addN, div, maximum, mul, sqrt, square, sum } from '@tensorflow/tfjs-core';
import type { Weight } from '@moe/core';
import type { WeightSettings } from '../optimizers/groups.js';
import type { WeightUpdate } from '../optimizers/optimizer.js';

type ByName<T> = Readonly<Record<string, T>>;

/** How the weights are moved. */
export interface UpdateParts {
  readonly weights: readonly Weight[];
  readonly settings: ReadonlyMap<string, WeightSettings>;
  /** Largest norm of the gradient. */
  readonly clipNorm: number | undefined;
}

/** Tensors that an update takes, by the name of the weight. */
export interface UpdateTensors {
  /** Values to start from, of weights that are displaced at the moment. */
  readonly values: ByName<Tensor>;
  readonly slots: ByName<readonly Tensor[]>;
  /** Of each update that is made of the gradient. */
  readonly rates: readonly ByName<readonly Scalar[]>[];
}

/** Tensors that an update makes, of the weights that have a gradient. */
export interface UpdateOutputs {
  readonly weights: ByName<Tensor>;
  readonly slots: ByName<readonly Tensor[]>;
  /** Of the gradient of all weights together, before it is clipped. */
  readonly norm: Scalar;
}

/** Gradients of several batches, not yet used. */
export interface Accumulated {
  /** Sums over examples, by the name of the weight. */
  readonly sums: ByName<Tensor>;
  /** Examples so far, with those of the present batch. */
  readonly rows: Scalar;
}

/** Adds the gradients of a batch of `rows` examples, which are means, to sums over examples. */
export function addGradients(sums: ByName<Tensor>, gradients: ByName<Tensor>, rows: number): ByName<Tensor> {
  const added = Object.entries(gradients).map(([name, gradient]) => [name, sums[name] === undefined ? mul(gradient, rows) : add(sums[name], mul(gradient, rows))] as const);
  return { ...sums, ...Object.fromEntries(added) };
}

/** Square of the L2 norm of each gradient. */
export const squaresOf = (gradients: ByName<Tensor>): ByName<Scalar> => Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, sum(square(gradient)) as Scalar]));

/**
 * New values of weights and slots; nothing is assigned. To be called within `tidy`.
 *
 * @param squares - of the gradients, see {@link squaresOf}.
 */
export function moveWeights({ weights, settings, clipNorm }: UpdateParts, gradients: ByName<Tensor>, squares: ByName<Scalar>, { values, slots, rates }: UpdateTensors): UpdateOutputs {
  const norm = sqrt(addN(Object.values(squares))) as Scalar;
  const clip = (gradient: Tensor): Tensor => (clipNorm === undefined ? gradient : mul(gradient, div(clipNorm, maximum(norm, clipNorm))));
  const moved = weights.flatMap(({ name, variable }) => {
    const [gradient, setting] = [gradients[name], settings.get(name)];
    // The others, such as those of unused experts, stay as they are.
    if (gradient === undefined || setting === undefined) return [];
    const clipped = clip(gradient);
    const start: WeightUpdate = { weight: values[name] ?? variable, slots: slots[name] ?? [] };
    return [[name, rates.reduce(({ weight, slots: from }, rate) => setting.optimizer.update(weight, clipped, from, rate[name] ?? []), start)] as const];
  });
  return {
    norm,
    weights: Object.fromEntries(moved.map(([name, { weight }]) => [name, weight])),
    slots: Object.fromEntries(moved.map(([name, update]) => [name, [...update.slots]])),
  };
}
