import { type Tensor, type Tensor2D, add, matMul, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import type { LayerPart } from '../spec/parts.js';
import { linearWeights } from './weights.js';
import { type LayerArgs, WeightedLayer, onlyTensor, rowShapeOf } from './weighted-layer.js';

/** Matrix product and bias, on plain ops, so that unused weight gradients are not computed. */
export class Linear extends WeightedLayer {
  static readonly className = 'MoeLinear';
  readonly units: number;
  #weights: Readonly<Record<string, LayerVariable>> = {};

  constructor(args: LayerArgs & { readonly units: number; readonly seed: number }) {
    super(args);
    this.units = args.units;
  }

  get part(): LayerPart {
    return { kind: 'linear', units: this.units };
  }

  override build(inputShape: Shape): void {
    this.#weights = this.addWeights(linearWeights(rowShapeOf(inputShape)[0]!, this.units));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const { kernel, bias } = this.#weights;
    return tidy(() => add(matMul(onlyTensor(inputs) as Tensor, kernel!.read() as Tensor2D), bias!.read()));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, this.units];
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units };
  }
}
