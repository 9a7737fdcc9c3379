import { type Tensor, relu, type serialization, tanh, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { project } from '../ops/transformer.js';
import type { LayerPart } from '../spec/parts.js';
import { linearWeights, zeroLinearWeights } from './weights.js';
import { type LayerArgs, WeightedLayer, onlyTensor, rowShapeOf } from './weighted-layer.js';

const ACTIVATIONS = { none: (x: Tensor): Tensor => x, relu: (x: Tensor): Tensor => relu(x), tanh: (x: Tensor): Tensor => tanh(x) };

/** Matrix product and bias, on plain ops, so that unused weight gradients are not computed. */
export class Linear extends WeightedLayer {
  static readonly className = 'MoeLinear';
  readonly units: number;
  readonly start: 'uniform' | 'zeros';
  readonly activation: 'none' | 'relu' | 'tanh';
  #weights: Readonly<Record<string, LayerVariable>> = {};

  constructor(args: LayerArgs & { readonly units: number; readonly seed: number; readonly start?: 'uniform' | 'zeros'; readonly activation?: 'none' | 'relu' | 'tanh' }) {
    super(args);
    this.units = args.units;
    this.start = args.start ?? 'uniform';
    this.activation = args.activation ?? 'none';
  }

  get part(): LayerPart {
    return { kind: 'linear', units: this.units, start: this.start, activation: this.activation };
  }

  override build(inputShape: Shape): void {
    const weights = this.start === 'zeros' ? zeroLinearWeights : linearWeights;
    this.#weights = this.addWeights(weights(rowShapeOf(inputShape)[0]!, this.units));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const { kernel, bias } = this.#weights;
    return tidy(() => ACTIVATIONS[this.activation](project(onlyTensor(inputs), kernel!.read(), bias!.read())));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, this.units];
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units, start: this.start, activation: this.activation };
  }
}
