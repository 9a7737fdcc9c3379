import { type Tensor, type TensorInfo, add, reshape, tidy } from '@tensorflow/tfjs-core';
import { type ConvolutionAttributes, convolve, isStock } from './convolutions.js';
import { type TensorflowKernel, tensorflowKernel } from './kernel.js';
import { type Engine, compute } from './operations.js';

interface FusedInputs {
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias?: Tensor;
  readonly preluActivationWeights?: Tensor;
}

interface FusedAttributes extends ConvolutionAttributes {
  readonly activation?: string;
  readonly leakyreluAlpha?: number;
}

interface Activating extends Engine {
  applyActivation(x: Tensor, activation?: string, preluActivationWeights?: Tensor, leakyreluAlpha?: number): Tensor;
}

const fused = (kernelName: string, name: 'Conv2D' | 'DepthwiseConv2dNative'): TensorflowKernel =>
  tensorflowKernel<FusedInputs, FusedAttributes>(kernelName, ({ inputs: { x, filter, bias, preluActivationWeights }, attrs, engine }) => {
    if (isStock(attrs)) return undefined;
    return tidy(() => {
      /** One number a channel, shaped to be broadcast over the result. */
      const perChannel = (weights: Tensor | undefined): Tensor | undefined =>
        weights?.rank === 1 && attrs.dataFormat === 'NCHW' ? reshape(weights, [weights.size, 1, 1]) : weights;
      const [convolved] = compute(engine, (tf) => [convolve(tf, name, x, filter, attrs)]) as [Tensor];
      const biased = bias === undefined ? convolved : add(convolved, perChannel(bias)!);
      return (engine as Activating).applyActivation(biased, attrs.activation, perChannel(preluActivationWeights), attrs.leakyreluAlpha);
    });
  });

/** Convolution, bias and activation where the stock kernels refuse the padding or the layout. */
export const FUSED_CONVOLUTION_KERNELS: readonly TensorflowKernel[] = [fused('FusedConv2D', 'Conv2D'), fused('FusedDepthwiseConv2D', 'DepthwiseConv2dNative')];
