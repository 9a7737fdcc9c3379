/** What an {@link Optimizer} is told about one update. */
export interface UpdateContext {
  readonly learningRate: number;
  /** How many updates this weight has had before; an expert that was not used has fewer than the others. */
  readonly updates: number;
}

/**
 * An update rule: an immutable value made by a function such as {@link sgd} or {@link adam}.
 *
 * @remarks
 * It works on plain arrays, one weight at a time: the same on every engine, without tens of small engine calls per weight, and its state
 * is ready to be saved. `train` calls it only for weights that the loss reached: as with PyTorch's undefined gradients, an unused
 * expert is neither decayed nor moved by its momentum.
 */
export interface Optimizer<Options extends object = object> {
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: Readonly<Options>;
  /** Names of the arrays that it keeps beside each weight, of the weight's size, zero at first. */
  readonly slots: readonly string[];
  /**
   * Moves `weight` and `slots` in place.
   *
   * @param gradient - of the loss with respect to `weight`, same length; not changed.
   * @param slots    - one array for each name in {@link Optimizer.slots}.
   */
  update(weight: Float32Array, gradient: Float32Array, slots: readonly Float32Array[], context: UpdateContext): void;
}
