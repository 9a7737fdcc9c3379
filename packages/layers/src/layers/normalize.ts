import { type Tensor, add, mul, tensor1d, tidy, type serialization } from '@tensorflow/tfjs-core';
import { type Shape, layers } from '@tensorflow/tfjs-layers';
import type { LayerPart } from '../spec/parts.js';
import { type LayerArgs, onlyTensor } from './weighted-layer.js';

/** `(x - mean) / std` per channel, constant. */
export class Normalize extends layers.Layer {
  static readonly className = 'MoeNormalize';
  readonly mean: readonly number[];
  readonly std: readonly number[];

  constructor(args: LayerArgs & { readonly mean: readonly number[]; readonly std: readonly number[] }) {
    super(args);
    this.mean = args.mean;
    this.std = args.std;
  }

  get part(): LayerPart {
    return { kind: 'normalize', mean: this.mean, std: this.std };
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const scale = this.std.map((value) => 1 / value);
    const shift = this.mean.map((value, i) => -value * scale[i]!);
    return tidy(() => add(mul(onlyTensor(inputs), tensor1d(scale)), tensor1d(shift)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), mean: [...this.mean], std: [...this.std] };
  }
}
