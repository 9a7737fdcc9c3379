// Shapes: B batch, I features in, O features out.
import { expectInteger } from '@moe/core';
import { type Tensor, type Tensor2D, matMul, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { KernelLayer, type LipschitzLayerArgs, onlyTensor, rowShape } from './kernel-layer.js';

/** Options of {@link AolDense}, {@link CayleyDense} and, with more, {@link BjorckDense}. */
export interface LipschitzDenseArgs extends LipschitzLayerArgs {
  /** Features out. */
  readonly units: number;
}

/** `x W + b` with a W that its raw kernel `[I,O]` decides. */
export abstract class LinearLayer extends KernelLayer {
  readonly units: number;

  constructor(args: LipschitzDenseArgs) {
    super(args);
    expectInteger(this.getClassName(), 'units', args.units, 1);
    this.units = args.units;
  }

  protected abstract linear(kernel: Tensor2D): Tensor2D;

  override build(inputShape: Shape | Shape[]): void {
    const [features] = rowShape(this, inputShape, ['B', 'I']);
    this.addKernel([features!, this.units], Math.max(features!, this.units), this.units);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => this.withBias(matMul(onlyTensor(inputs), this.linear(this.kernel as Tensor2D))));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0]!, this.units];
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units };
  }
}
