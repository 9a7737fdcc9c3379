// Shapes: C channels, g group size.
import { ShapeError, expectInteger } from '@moe/core';
import { type Tensor, greaterEqual, reshape, stack, type serialization, tidy, unstack, where } from '@tensorflow/tfjs-core';
import { type Shape, layers } from '@tensorflow/tfjs-layers';
import { type LayerArgs, onlyTensor } from './kernel-layer.js';

/** Sorts every group of neighbouring channels, the largest first; its derivative is a permutation, at ties too. */
export function sortGroups(x: Tensor, size: number): Tensor {
  const channels = x.shape.at(-1)!;
  // A copy: tfjs keeps the list that it returns for the gradient.
  const columns = [...unstack(reshape(x, [-1, channels / size, size]), 2)];
  // Odd and even neighbours by turns: sorted after as many rounds as there are columns.
  for (let round = 0; round < size; round++) {
    for (let left = round % 2; left + 1 < size; left += 2) {
      const [a, b] = [columns[left]!, columns[left + 1]!];
      const ordered = greaterEqual(a, b);
      [columns[left], columns[left + 1]] = [where(ordered, a, b), where(ordered, b, a)];
    }
  }
  return reshape(stack(columns, 2), x.shape);
}

/** Options of {@link GroupSort}. */
export interface GroupSortArgs extends LayerArgs {
  /** Neighbouring channels that are sorted among themselves; divides their number. @defaultValue 2, which is MaxMin */
  readonly groupSize?: number;
}

/**
 * Activation that sorts every group of channels, the largest first; 1-Lipschitz in every norm, and its gradient never shrinks.
 *
 * @remarks
 * With groups of two it is MaxMin. A ReLU behind an orthogonal layer loses half of the gradient's length; this loses nothing.
 *
 * Tensors: `[B,…,C]` → the same. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if `groupSize` is no integer from 2; {@link ShapeError} if it does not divide C.
 * @see {@link https://arxiv.org/abs/1811.05381 | Anil et al. 2019}
 *
 * @example
 * new GroupSort({ groupSize: 4 });
 */
export class GroupSort extends layers.Layer {
  static readonly className = 'GroupSort';
  readonly groupSize: number;

  constructor(args: GroupSortArgs = {}) {
    super(args);
    const { groupSize = 2 } = args;
    expectInteger('GroupSort', 'groupSize', groupSize, 2);
    this.groupSize = groupSize;
  }

  override build(inputShape: Shape | Shape[]): void {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    const channels = shape.at(-1);
    if (typeof channels !== 'number' || channels % this.groupSize !== 0) throw new ShapeError(`GroupSort: inputs must have a multiple of groupSize ${this.groupSize} channels, got [${shape.join(',')}].`);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => sortGroups(onlyTensor(inputs), this.groupSize));
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), groupSize: this.groupSize };
  }
}
