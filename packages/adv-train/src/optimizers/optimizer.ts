import type { Scalar, Tensor } from '@tensorflow/tfjs-core';

/** What an {@link Optimizer} is told about one update. */
export interface UpdateContext {
  readonly learningRate: number;
  /** How many updates this weight has had before; an expert that was not used has fewer than the others. */
  readonly updates: number;
}

/** What {@link Optimizer.update} returns. */
export interface WeightUpdate {
  /** New values of the weight. */
  readonly weight: Tensor;
  /** New values of the slots, in the order of {@link Optimizer.slots}. */
  readonly slots: readonly Tensor[];
}

/**
 * An update rule: an immutable value made by a function such as {@link sgd} or {@link adam}.
 *
 * @remarks
 * `train` calls it only for weights that the loss reached: as with PyTorch's undefined gradients, an unused expert is neither decayed
 * nor moved by its momentum.
 */
export interface Optimizer<Options extends object = object> {
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: Readonly<Options>;
  /** Names of the tensors that it keeps beside each weight, of the weight's shape, zero at first. */
  readonly slots: readonly string[];
  /** The numbers that change from update to update, such as the learning rate. Apart from them {@link Optimizer.update} does the same every time, so that it can be compiled. */
  rates(context: UpdateContext): readonly number[];
  /**
   * One step of one weight, a pure function; `train` calls it within `tidy`.
   *
   * @param weight   - current values, of any shape.
   * @param gradient - of the loss with respect to `weight`, same shape.
   * @param slots    - one tensor for each name in {@link Optimizer.slots}.
   * @param rates    - the numbers of {@link Optimizer.rates}, as scalars.
   */
  update(weight: Tensor, gradient: Tensor, slots: readonly Tensor[], rates: readonly Scalar[]): WeightUpdate;
}
