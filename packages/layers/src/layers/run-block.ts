// Shapes: B batch, H W pixels, C channels.
import { type Tensor4D, add, relu } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { convolve } from '../ops/convolution.js';
import { type BlockSpec, type ConvSpec, blockConvs } from '../spec/parts.js';
import { applyBatchNorm, batchNormOf } from './apply-batch-norm.js';
import type { CallArguments } from './call-arguments.js';

type Weights = Readonly<Record<string, LayerVariable>>;

/** Output of a residual block whose weights have names such as `conv1/kernel`, under a prefix. */
export function runBlock(block: BlockSpec, weights: Weights, x: Tensor4D, call: CallArguments, prefix = ''): Tensor4D {
  const { branch, downsample } = blockConvs(block);
  const convolved = (input: Tensor4D, name: string, conv: ConvSpec): Tensor4D => convolve(input, weights[`${prefix}${name}/kernel`]!.read() as Tensor4D, conv.stride);
  const norm = (input: Tensor4D, name: string): Tensor4D => applyBatchNorm(input, batchNormOf(weights, `${prefix}${name}/`), block.batchNorm, call);

  if (block.kind === 'preactivation') {
    const active = relu(norm(x, 'bn1'));
    const [first, second] = branch;
    const middle = relu(norm(convolved(active, 'conv1', first!.conv), 'bn2'));
    return add(convolved(middle, 'conv2', second!.conv), downsample === undefined ? x : convolved(active, 'downsample.0', downsample));
  }
  const output = branch.reduce<Tensor4D>((input, { name, conv }, i) => {
    const normed = norm(convolved(input, name, conv), name.replace('conv', 'bn'));
    return i === branch.length - 1 ? normed : relu(normed);
  }, x);
  return relu(add(output, downsample === undefined ? x : norm(convolved(x, 'downsample.0', downsample), 'downsample.1')) as Tensor4D);
}
