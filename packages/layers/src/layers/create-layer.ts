import { layers } from '@tensorflow/tfjs-layers';
import type { LayerSpec } from '../spec/parts.js';
import { BatchNorm } from './batch-norm.js';
import { BlockMoe } from './block-moe.js';
import { ConvMoe } from './conv-moe.js';
import { Conv } from './conv.js';
import { Linear } from './linear.js';
import { Normalize } from './normalize.js';
import { StageMoe } from './stage-moe.js';

/** The tfjs layer of a description; its weights are made when it is applied. */
export function createLayer({ name, part }: LayerSpec, seed: number): layers.Layer {
  switch (part.kind) {
    case 'normalize':
      return new Normalize({ name, mean: part.mean, std: part.std });
    case 'conv':
      return new Conv({ name, conv: part.conv, seed });
    case 'batchNorm':
      return new BatchNorm({ name, ...(part.convention !== undefined && { convention: part.convention }), seed });
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
      return new Linear({ name, units: part.units, seed });
    case 'convMoe':
      return new ConvMoe({ name, conv: part.conv, router: part.router, seed });
    case 'blockMoe':
      return new BlockMoe({ name, block: part.block, router: part.router, seed });
    case 'stageMoe':
      return new StageMoe({ name, blocks: part.blocks, residual: part.residual, router: part.router, seed });
  }
}
