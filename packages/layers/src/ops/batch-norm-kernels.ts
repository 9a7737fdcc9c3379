// Shapes: B batch, H W pixels, C channels, N = B·H·W.
import { type NamedTensorMap, type Tensor, type Tensor1D, engine, getBackend, getKernel, reshape } from '@tensorflow/tfjs-core';

/** Batch norm with the statistics of the batch in one operation for each direction. */
interface BatchNormKernels {
  /** Result like `x`, mean and biased variance `[C]`. */
  readonly forward: (x: Tensor, scale: Tensor1D, shift: Tensor1D) => [Tensor, Tensor1D, Tensor1D];
  /** Gradients in x, scale and shift; `saved` is x, scale, mean and variance. */
  readonly backward: (dy: Tensor, saved: Tensor[]) => Tensor[];
}

const run = (name: string, inputs: NamedTensorMap, varianceEpsilon: number): Tensor[] => engine().runKernel(name, inputs, { varianceEpsilon }) as Tensor[];

/** `[N,1,1,C]`, which is what the kernels take, whatever the rank. */
const asMaps = (x: Tensor): Tensor => (x.rank === 4 ? x : reshape(x, [-1, 1, 1, x.shape.at(-1)!]));

/** The kernels of the running engine; `undefined` if it has none, as is the case for the engines of tfjs as they come. */
export function batchNormKernels(eps: number): BatchNormKernels | undefined {
  if (getKernel('BatchNormTraining', getBackend()) === undefined || getKernel('BatchNormTrainingGrad', getBackend()) === undefined) return undefined;
  return {
    forward: (x, scale, offset) => {
      const [y, mean, variance] = run('BatchNormTraining', { x: asMaps(x), scale, offset }, eps) as [Tensor, Tensor1D, Tensor1D];
      return [reshape(y, x.shape), mean, variance];
    },
    backward: (dy, saved) => {
      const [x, scale, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor];
      const [dx, dScale, dShift] = run('BatchNormTrainingGrad', { dy: asMaps(dy), x: asMaps(x), scale, mean, variance }, eps) as [Tensor, Tensor, Tensor];
      return [reshape(dx, x.shape), dScale, dShift];
    },
  };
}
