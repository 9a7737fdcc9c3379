import { type Tensor, type Tensor4D, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { convolve } from '../ops/convolution.js';
import { partOutputShape } from '../spec/part-shape.js';
import type { ConvSpec, LayerPart } from '../spec/parts.js';
import { convWeights } from './weights.js';
import { type LayerArgs, WeightedLayer, onlyTensor, rowShapeOf } from './weighted-layer.js';

/** Convolution without bias and with PyTorch's padding; its gradient never computes a filter gradient nobody asked for. */
export class Conv extends WeightedLayer {
  static readonly className = 'MoeConv';
  readonly conv: ConvSpec;
  #kernel: LayerVariable | undefined;

  constructor(args: LayerArgs & { readonly conv: ConvSpec; readonly seed: number }) {
    super(args);
    this.conv = args.conv;
  }

  get part(): LayerPart {
    return { kind: 'conv', conv: this.conv };
  }

  override build(): void {
    this.#kernel = this.addWeights(convWeights(this.conv, 'out'))['kernel'];
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => convolve(onlyTensor(inputs), this.#kernel!.read() as Tensor4D, this.conv.stride));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, ...partOutputShape(this.part, rowShapeOf(inputShape))];
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), conv: { ...this.conv } };
  }
}
