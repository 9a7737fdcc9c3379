// Lipschitz bounds of the trained networks, L2 over pixels to L2 over logits.
import {
  type LayerAdapter,
  type NetworkNode,
  batchNorm,
  channelScale,
  conv2d,
  dense,
  describeLayersModel,
  gatedBounds,
  hardRouted,
  identity,
  productBound,
  relu,
  residual,
  sequence,
} from '@moe/lipschitz';
import { batchNormConventions } from '@moe/layers';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { RoutePath } from './jobs.js';
import type { Config, ModelName } from './schema.js';

type Weights = Readonly<Record<string, Tensor>>;
type Size = readonly [number, number];

const under = (weights: Weights, prefix: string): Weights =>
  Object.fromEntries(Object.entries(weights).flatMap(([name, weight]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), weight] as const] : [])));

const convolution = (name: string, kernel: Tensor, inputSize: Size, strides: number): NetworkNode =>
  conv2d({ name, kernel, inputSize, strides, padding: (kernel.shape[0]! - 1) / 2 });

const normalisation = (name: string, { gamma, movingVariance }: Weights): NetworkNode => batchNorm({ name, gamma: gamma!, variance: movingVariance!, epsilon: batchNormConventions.pytorch.epsilon });

/** A basic block with its weights under the names of torchvision. */
function block(name: string, weights: Weights, size: Size, stride: number): NetworkNode {
  const unit = (conv: string, norm: string, at: Size, step: number): NetworkNode => sequence([convolution(conv, weights[`${conv}/kernel`]!, at, step), normalisation(norm, under(weights, `${norm}/`))]);
  const after: Size = [Math.ceil(size[0] / stride), Math.ceil(size[1] / stride)];
  const main = sequence([unit('conv1', 'bn1', size, stride), relu(), unit('conv2', 'bn2', after, 1)]);
  const skip = 'downsample.0/kernel' in weights ? unit('downsample.0', 'downsample.1', size, stride) : identity('skip');
  return sequence([residual(main, skip), relu()], name);
}

const sizeOf = (shape: readonly (number | null)[]): Size => [shape[0]!, shape[1]!];
const expertNames = (weights: Weights): string[] => [...new Set(Object.keys(weights).map((name) => name.split('/')[0]!))].filter((name) => name.startsWith('expert'));

/** What the layers of `@moe/layers` are, for the bounds. */
const ADAPTERS: Readonly<Record<string, LayerAdapter>> = {
  MoeConv: ({ name }, { weights, config, inputShape }) => convolution(name, weights['kernel']!, sizeOf(inputShape), (config['conv'] as { stride: number }).stride),
  MoeBatchNorm: ({ name }, { weights }) => normalisation(name, weights),
  MoeLinear: ({ name }, { weights }) => dense({ name, kernel: weights['kernel']! }),
  MoeNormalize: ({ name }, { config }) => channelScale({ name, factors: (config['std'] as number[]).map((std) => 1 / std) }),
  ConvMoe: ({ name }, { weights, config, inputShape }) =>
    hardRouted({ name, experts: expertNames(weights).map((expert) => convolution(expert, weights[`${expert}/kernel`]!, sizeOf(inputShape), (config['conv'] as { stride: number }).stride)) }),
  BlockMoe: ({ name }, { weights, config, inputShape }) =>
    hardRouted({ name, experts: expertNames(weights).map((expert) => block(expert, under(weights, `${expert}/`), sizeOf(inputShape), (config['block'] as { stride: number }).stride)) }),
};

/** An upper bound of the Lipschitz constant along one path, or why there is none. */
export interface LipschitzRecord {
  readonly path: RoutePath;
  readonly upper: number | null;
  readonly reason?: string;
}

/** Whether the adapters here know every layer: networks of BasicBlocks, hard routing. */
const isKnown = (name: ModelName, { network: { depth }, moe: { topK, gateFrom } }: Config): boolean => depth !== 50 && !name.startsWith('stage') && (name === 'dense' || (topK === 1 && gateFrom === 'input'));

/** Bounds of the dense model, or of an MoE with each expert fixed in every MoE layer; a hard-routed model itself has no Lipschitz constant. None for other networks. */
export function lipschitzBounds(name: ModelName, config: Config, network: LayersModel, numMoeLayers: number): LipschitzRecord[] {
  if (!isKnown(name, config)) return [];
  const description = describeLayersModel(network, { adapters: ADAPTERS });
  if (numMoeLayers === 0) return [{ path: 'gated', upper: productBound(description).bound.value }];
  const { refusal, paths } = gatedBounds(description);
  return [{ path: 'gated', upper: null, reason: refusal }, ...paths.map(({ expert, bound }) => ({ path: expert, upper: bound.value }))];
}
