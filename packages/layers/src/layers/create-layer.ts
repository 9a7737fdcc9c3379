import { layers } from '@tensorflow/tfjs-layers';
import type { LayerSpec, Mixture } from '../spec/parts.js';
import { BatchNorm } from './batch-norm.js';
import { BlockMoe } from './block-moe.js';
import { ConvMoe } from './conv-moe.js';
import { DenseMoe } from './dense-moe.js';
import { LinearMoe } from './linear-moe.js';
import { Conv } from './conv.js';
import { Dropout } from './dropout.js';
import { GateFeatures } from './gate-features.js';
import { Linear } from './linear.js';
import { Normalize } from './normalize.js';
import { PatchMoe } from './patch-moe.js';
import type { RoutedLayerArgs } from './routed-layer.js';
import { StageMoe } from './stage-moe.js';
import { Attention } from './tokens/attention.js';
import { AttentionPool } from './tokens/attention-pool.js';
import { FeedForward } from './tokens/feed-forward.js';
import { LayerNorm } from './tokens/layer-norm.js';
import { Patches } from './tokens/patches.js';
import { Pool } from './tokens/pool.js';
import { Tokens } from './tokens/tokens.js';

const mixture = ({ router, sharedExperts = 0, slots }: Mixture, seed: number): Pick<RoutedLayerArgs, 'router' | 'sharedExperts' | 'slots' | 'seed'> => ({ router, sharedExperts, ...(slots !== undefined && { slots }), seed });

/** A description as the arguments of its layer. */
function optionsOf<T extends { readonly kind: string }>(part: T): Omit<T, 'kind'> {
  const { kind: _, ...options } = part;
  return options;
}

/** The tfjs layer of a description; its weights are made when it is applied. */
export function createLayer({ name, part, inputShape }: LayerSpec, seed: number): layers.Layer {
  switch (part.kind) {
    case 'normalize':
      return new Normalize({ name, mean: part.mean, std: part.std });
    case 'conv':
      return new Conv({ ...optionsOf(part), name, seed });
    case 'batchNorm':
      return new BatchNorm({ ...optionsOf(part), name, seed });
    case 'relu':
      return layers.activation({ name, activation: 'relu' });
    case 'add':
      return layers.add({ name });
    case 'zeroPad':
      return layers.zeroPadding2d({ name, padding: [[...part.padding[0]], [...part.padding[1]]] });
    case 'maxPool':
      return layers.maxPooling2d({ name, poolSize: part.poolSize, strides: part.stride, padding: 'valid' });
    case 'globalAveragePool':
      return layers.globalAveragePooling2d({ name });
    case 'linear':
      return new Linear({ ...optionsOf(part), name, seed });
    case 'flatten':
      return layers.flatten({ name });
    case 'patches':
      return new Patches({ ...optionsOf(part), name, seed });
    case 'tokens':
      return new Tokens({ ...optionsOf(part), name, seed });
    case 'layerNorm':
      return new LayerNorm({ name, seed });
    case 'attention':
      return new Attention({ ...optionsOf(part), name, seed });
    case 'feedForward':
      return new FeedForward({ ...optionsOf(part), name, seed });
    case 'pool':
      return new Pool({ ...optionsOf(part), name, seed });
    case 'attentionPool':
      return new AttentionPool({ ...optionsOf(part), name, seed });
    case 'dropout':
      return new Dropout({ ...optionsOf(part), name, seed });
    case 'gateFeatures':
      return new GateFeatures({ ...optionsOf(part), name, seed });
    case 'linearMoe':
      return new LinearMoe({ name, width: inputShape[0]!, units: part.units, ...mixture(part, seed) });
    case 'denseMoe':
      return new DenseMoe({ name, width: inputShape[1]!, hidden: part.hidden, ...mixture(part, seed), sharedStart: part.sharedStart, dropout: part.dropout ?? 0 });
    case 'convMoe':
      return new ConvMoe({ name, conv: part.conv, ...mixture(part, seed) });
    case 'patchMoe':
      return new PatchMoe({ name, conv: part.conv, patch: part.patch, ...mixture(part, seed) });
    case 'blockMoe':
      return new BlockMoe({ name, block: part.block, ...mixture(part, seed) });
    case 'stageMoe':
      return new StageMoe({ name, blocks: part.blocks, residual: part.residual, ...mixture(part, seed) });
  }
}
