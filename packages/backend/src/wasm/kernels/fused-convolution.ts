import type { FusedConv2DAttrs, FusedConv2DInputs, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { type Finish, finish } from '../activation.js';
import { type WasmKernel, wasmKernel } from '../kernel.js';
import { type Scratch, withScratch } from '../scratch.js';

const PLAIN = { FusedConv2D: 'Conv2D', FusedDepthwiseConv2D: 'DepthwiseConv2dNative' } as const;

/** With channels first, a vector of one value a channel has to be turned towards them. */
function towardsChannels(scratch: Scratch, x: TensorInfo | null | undefined, channelsFirst: boolean): TensorInfo | null | undefined {
  return channelsFirst && x?.shape.length === 1 && x.shape[0] !== 1 ? scratch.reshape(x, [...x.shape, 1, 1]) : x;
}

/** Convolution, bias and activation in one: in steps where the stock kernels refuse, which know channels last and a bias that is a vector. */
export const FUSED_CONVOLUTIONS: readonly WasmKernel[] = Object.entries(PLAIN).map(([kernelName, plain]) =>
  wasmKernel<FusedConv2DInputs, FusedConv2DAttrs>(kernelName, ({ inputs, attrs, backend }) => {
    const { x, filter, bias, preluActivationWeights } = inputs as typeof inputs & Finish;
    const { strides, pad, dataFormat, dilations, dimRoundingMode, activation, leakyreluAlpha } = attrs;
    const channelsFirst = dataFormat === 'NCHW';
    if (!channelsFirst && (bias == null || bias.shape.length === 1)) return undefined;
    return withScratch(backend, (scratch) =>
      finish(scratch, scratch.run(plain, { x, filter }, { strides, pad, dataFormat, dilations, dimRoundingMode } as unknown as NamedAttrMap), {
        bias: towardsChannels(scratch, bias, channelsFirst),
        activation,
        preluActivationWeights: towardsChannels(scratch, preluActivationWeights, channelsFirst),
        leakyreluAlpha,
      }),
    );
  }),
);
