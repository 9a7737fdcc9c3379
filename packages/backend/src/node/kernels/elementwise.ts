import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type TensorflowKernel, tensorflowKernel } from './kernel.js';

/** Kernels of tfjs that are operations of TensorFlow of the same name. */
const UNARY = ['Abs', 'Exp', 'Log', 'Neg', 'Relu', 'Rsqrt', 'Sigmoid', 'Sqrt', 'Square', 'Tanh'];
/** Operations of TensorFlow, by the kernels of tfjs that they are. */
const BINARY = { Maximum: 'Maximum', Minimum: 'Minimum', Multiply: 'Mul', RealDiv: 'RealDiv', SquaredDifference: 'SquaredDifference', Sub: 'Sub' };

/** The input whose shape the result of a binary operation on float32 has; `undefined` where neither or the type differs. */
export function likeOf(a: TensorInfo, b: TensorInfo): TensorInfo | undefined {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  if (b.shape.length === 0 || util.arraysEqual(a.shape, b.shape)) return a;
  return a.shape.length === 0 ? b : undefined;
}

/** The frequent operations that work element by element. Where the shape of the result is that of an input, TensorFlow is not asked for it; for small tensors that is a tenth of the time. */
export const ELEMENTWISE_KERNELS: readonly TensorflowKernel[] = [
  ...UNARY.map((name) => tensorflowKernel<{ x: TensorInfo }, unknown>(name, ({ inputs: { x }, engine }) => (x.dtype === 'float32' ? engine.executeAlike(name, [x], x) : undefined))),
  ...Object.entries(BINARY).map(([kernelName, name]) =>
    tensorflowKernel<{ a: TensorInfo; b: TensorInfo }, unknown>(kernelName, ({ inputs: { a, b }, engine }) => {
      const like = likeOf(a, b);
      return like && engine.executeAlike(name, [a, b], like);
    }),
  ),
];
