import { serialization } from '@tensorflow/tfjs-core';
import { BatchNorm } from './batch-norm.js';
import { BlockMoe } from './block-moe.js';
import { ConvMoe } from './conv-moe.js';
import { Conv } from './conv.js';
import { Linear } from './linear.js';
import { Normalize } from './normalize.js';
import { StageMoe } from './stage-moe.js';

/**
 * Makes the layers of this package known to tfjs, so that `loadLayersModel` can build them.
 *
 * @remarks
 * Importing the package registers nothing; `resnet` calls this itself. Calling it again does no harm.
 *
 * @example
 * registerMoeLayers();
 * const model = await loadLayersModel(io.fromMemory(artifacts));
 */
export function registerMoeLayers(): void {
  for (const layer of [BatchNorm, BlockMoe, Conv, ConvMoe, Linear, Normalize, StageMoe]) serialization.registerClass(layer);
}
