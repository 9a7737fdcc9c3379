import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { expectArgument } from '@moe/core';
import { sequence } from '../network/composite-nodes.js';
import { readVector } from '../internal/arrays.js';
import { NORMS, globalBound } from '../internal/bounds.js';
import { ACTIVATION_SLOPES, type ActivationName } from '../network/activations.js';
import { activation, boundedMap, globalAveragePool, identity, layerNorm, maxPool, rearrangement, relu, softmax } from '../network/constant-nodes.js';
import { averagePool, globalMaxPool, upSample } from '../network/closed-form-nodes.js';
import { batchNorm, channelScale, conv2d, dense } from '../network/linear-nodes.js';
import type { NetworkNode } from '../network/nodes.js';

/** What an adapter gets to know of one use of a layer. */
export interface LayerUse {
  /** Shape of one input row, without the batch axis; `null` where it is not fixed. */
  readonly inputShape: readonly (number | null)[];
  /** Weights by the names that the layer gave them, e.g. `kernel`, `gamma`, `moving_variance`; still the layer's. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** The layer's configuration, as saved with a model. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Describes a layer with one input in evaluation mode. */
export type LayerAdapter = (layer: layers.Layer, use: LayerUse) => NetworkNode;

const CALLER = 'describeLayersModel';
const property = (layer: layers.Layer, name: string): string => `${name} of layer '${layer.name}'`;

export function imageSize(layer: layers.Layer, { inputShape, config }: LayerUse): readonly [number, number] {
  expectArgument(CALLER, property(layer, 'dataFormat'), config['dataFormat'] !== 'channelsFirst', "be 'channelsLast'", config['dataFormat']);
  const [height, width] = inputShape;
  expectArgument(CALLER, property(layer, 'input size'), typeof height === 'number' && typeof width === 'number', 'be fixed', inputShape, 'Build the model with an inputShape.');
  return [height, width];
}

function activationNode(layer: layers.Layer, kind: unknown, name: string): NetworkNode {
  if (kind === 'softmax') return softmax(name);
  const known = typeof kind === 'string' && kind in ACTIVATION_SLOPES;
  expectArgument(CALLER, property(layer, 'activation'), known, `be one of ${Object.keys(ACTIVATION_SLOPES).join(', ')}, softmax`, kind, 'Pass an adapter for its class that uses boundedMap.');
  return activation(kind as ActivationName, name);
}

/** A linear node followed by the activation in the layer's configuration, if it has one. */
function activated(layer: layers.Layer, node: NetworkNode, { config }: LayerUse): NetworkNode {
  const kind = config['activation'] ?? 'linear';
  return kind === 'linear' ? node : sequence([node, activationNode(layer, kind, `${layer.name}.${String(kind)}`)], layer.name);
}

function expectLastAxis(layer: layers.Layer, { inputShape, config }: LayerUse): void {
  const axes = [config['axis'] ?? -1].flat();
  expectArgument(CALLER, property(layer, 'axis'), axes.length === 1 && (axes[0] === -1 || axes[0] === inputShape.length), 'be the last one', axes);
}

const unchanged: LayerAdapter = ({ name }) => identity(name);
const moved: LayerAdapter = ({ name }) => rearrangement(name);

/** The bias of a layer; none is 0, not unknown. */
export const biasOf = ({ weights }: LayerUse): Tensor | readonly number[] => weights['bias'] ?? [0];

/** Adapters of the stock tfjs layers that {@link describeLayersModel} knows, by class name. */
export const STOCK_ADAPTERS: Readonly<Record<string, LayerAdapter>> = {
  InputLayer: unchanged,
  Flatten: unchanged,
  Reshape: unchanged,
  Dropout: unchanged,
  SpatialDropout1D: unchanged,
  GaussianNoise: unchanged,
  GaussianDropout: unchanged,
  AlphaDropout: unchanged,
  Permute: moved,
  ZeroPadding2D: moved,
  Cropping2D: moved,
  GlobalMaxPooling1D: ({ name }) => globalMaxPool(name),
  GlobalMaxPooling2D: ({ name }) => globalMaxPool(name),
  Dense: (layer, use) => activated(layer, dense({ name: layer.name, kernel: use.weights['kernel']!, bias: biasOf(use) }), use),
  Conv2D: (layer, use) => {
    const { strides, padding, dilationRate } = use.config as { strides: [number, number]; padding: 'same' | 'valid'; dilationRate?: [number, number] };
    const inputSize = imageSize(layer, use);
    return activated(layer, conv2d({ name: layer.name, kernel: use.weights['kernel']!, bias: biasOf(use), inputSize, strides, padding, dilations: dilationRate ?? 1 }), use);
  },
  BatchNormalization: (layer, use) => {
    expectLastAxis(layer, use);
    const { gamma, beta, moving_mean: mean, moving_variance: variance } = use.weights;
    return batchNorm({ name: layer.name, mean: mean!, variance: variance!, epsilon: use.config['epsilon'] as number, ...(gamma && { gamma }), ...(beta && { beta }) });
  },
  LayerNormalization: (layer, use) => {
    expectLastAxis(layer, use);
    return layerNorm({ name: layer.name, gamma: use.weights['gamma'] ?? [1], epsilon: use.config['epsilon'] as number });
  },
  Activation: (layer, { config }) => activationNode(layer, config['activation'], layer.name),
  ReLU: ({ name }) => relu({ name }),
  PReLU: (layer, { weights }) => {
    const steepest = readVector(CALLER, property(layer, 'alpha'), weights['alpha']!).reduce((best, slope) => Math.max(best, Math.abs(slope)), 0);
    // Units have slopes of their own, so only the largest is told.
    return boundedMap({ name: layer.name, bounds: NORMS.map((norm) => globalBound(Math.max(1, steepest), 'exact', norm, 'closed-form')) });
  },
  ELU: ({ name }, { config }) => {
    const alpha = (config['alpha'] as number | undefined) ?? 1;
    return alpha === 1 ? activation('elu', name) : boundedMap({ name, bounds: NORMS.map((norm) => globalBound(Math.max(1, Math.abs(alpha)), 'exact', norm, 'closed-form')) });
  },
  LeakyReLU: ({ name }, { config }) => relu({ name, slope: config['alpha'] as number }),
  Softmax: (layer, use) => {
    expectLastAxis(layer, use);
    return softmax(layer.name);
  },
  GlobalAveragePooling2D: (layer, use) => {
    const [height, width] = imageSize(layer, use);
    return globalAveragePool({ name: layer.name, height, width });
  },
  AveragePooling2D: (layer, use) => {
    const { poolSize, strides, padding } = use.config as { poolSize: [number, number]; strides: [number, number]; padding: 'same' | 'valid' };
    return averagePool({ name: layer.name, inputSize: imageSize(layer, use), poolSize, strides, padding });
  },
  UpSampling2D: (layer, use) => {
    imageSize(layer, use);
    const { size, interpolation = 'nearest' } = use.config as { size: [number, number]; interpolation?: string };
    expectArgument(CALLER, property(layer, 'interpolation'), interpolation === 'nearest', "be 'nearest'", interpolation);
    return upSample({ name: layer.name, size });
  },
  MaxPooling2D: (layer, use) => {
    imageSize(layer, use);
    const { poolSize, strides } = use.config as { poolSize: [number, number]; strides: [number, number] };
    return maxPool({ name: layer.name, poolSize, strides });
  },
  Rescaling: ({ name }, { config }) => channelScale({ name, factors: [config['scale'] as number].flat(), shifts: [(config['offset'] as number | undefined) ?? 0].flat() }),
};
