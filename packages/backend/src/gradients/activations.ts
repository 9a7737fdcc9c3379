import { type GradConfig, type LeakyReluAttrs, type Tensor, mul, step, sub, zerosLike } from '@tensorflow/tfjs-core';
import { hasKernel, runKernel } from './kernels.js';

/** Slope of an activation times `dy`, from its input or its output, whichever it saves. */
type Slope = (dy: Tensor, features: Tensor, attrs: object) => Tensor;

interface Activation {
  readonly kernelName: string;
  /** The kernel that some engines have for {@link Activation.slope}. */
  readonly gradientKernel: string;
  readonly saves: 'input' | 'output';
  readonly slope: Slope;
}

/** Linear in `dy` and constant in the features between kinks, hence the gradient of the gradient kernel is that kernel once more. */
function gradientsOf({ kernelName, gradientKernel, saves, slope }: Activation): GradConfig[] {
  const run: Slope = (dy, features, attrs) => (hasKernel(gradientKernel) ? runKernel(gradientKernel, { dy, features }, attrs) : slope(dy, features, attrs));
  return [
    {
      kernelName,
      ...(saves === 'input' ? { inputsToSave: ['x'] } : { outputsToSave: [true] }),
      gradFunc: (dy, [features], attrs) => ({ x: () => run(dy as Tensor, features!, attrs) }),
    },
    {
      kernelName: gradientKernel,
      inputsToSave: ['features'],
      gradFunc: (ddx, [features], attrs) => ({ dy: () => run(ddx as Tensor, features!, attrs), features: () => zerosLike(features!) }),
    },
  ];
}

/**
 * Gradients of the ReLU family in one kernel where the engine has one.
 *
 * @remarks
 * The slope at a kink is that of the flat side, in 6 of `relu6` too, as in TensorFlow and PyTorch; stock tfjs has 1 there. ReLU saves its output, which the next layer saves anyway.
 * ELU has one kernel on every engine already.
 */
export const activationGradients: readonly GradConfig[] = [
  ...gradientsOf({ kernelName: 'Relu', gradientKernel: 'ReluGrad', saves: 'output', slope: (dy, y) => mul(dy, step(y)) }),
  ...gradientsOf({ kernelName: 'Relu6', gradientKernel: 'Relu6Grad', saves: 'output', slope: (dy, y) => mul(mul(dy, step(y)), step(sub(6, y))) }),
  ...gradientsOf({ kernelName: 'LeakyRelu', gradientKernel: 'LeakyReluGrad', saves: 'input', slope: (dy, x, attrs) => mul(dy, step(x, (attrs as LeakyReluAttrs).alpha)) }),
];
