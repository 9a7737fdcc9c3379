// Shapes: B batch, I features, H hidden.
import { expectInteger } from '@moe/core';
import { type Tensor, type Tensor1D, matMul, mul, relu, type serialization, sub, tidy } from '@tensorflow/tfjs-core';
import { type LayerVariable, type Shape, initializers } from '@tensorflow/tfjs-layers';
import { KernelLayer, type LipschitzLayerArgs, onlyTensor, rowShape } from './kernel-layer.js';
import { sllFactors } from './kernels.js';

/** Options of {@link SllDense}. */
export interface SllDenseArgs extends LipschitzLayerArgs {
  /** Hidden features H. @defaultValue as many as inputs */
  readonly hidden?: number;
}

/**
 * Residual layer `x − 2 W T⁻¹ relu(Wᵀ x + b)` that never stretches a difference of inputs in L2.
 *
 * @remarks
 * `T = diag(Σ_j |WᵀW|_ij q_j / q_i)` over the hidden features, q = exp of a trained vector. Deep stacks keep their gradients, since the identity is part of each.
 *
 * Tensors: `[B,I]` → `[B,I]`; W is `[I,H]`. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if `hidden` or `seed` is no such integer; {@link ShapeError} if inputs are not `[B,I]`.
 * @see {@link https://arxiv.org/abs/2303.03169 | Araujo et al. 2023}, Theorem 3.
 *
 * @example
 * new SllDense({ hidden: 128, seed: 5 });
 */
export class SllDense extends KernelLayer {
  static readonly className = 'SllDense';
  readonly hidden: number | undefined;
  #logWeights: LayerVariable | undefined;

  constructor(args: SllDenseArgs) {
    super(args);
    if (args.hidden !== undefined) expectInteger('SllDense', 'hidden', args.hidden, 1);
    this.hidden = args.hidden;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [features] = rowShape(this, inputShape, ['B', 'I']);
    const hidden = this.hidden ?? features!;
    this.addKernel([features!, hidden], features!, hidden);
    this.#logWeights = this.addWeight('log_weights', [hidden], 'float32', initializers.zeros());
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs);
      const { kernel } = this;
      const active = relu(this.withBias(matMul(x, kernel)));
      return sub(x, matMul(mul(active, sllFactors(kernel, this.#logWeights!.read() as Tensor1D)), kernel, false, true));
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), ...(this.hidden !== undefined && { hidden: this.hidden }) };
  }
}
