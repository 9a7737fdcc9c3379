import { expectKnownKeys } from '@moe/core';
import type { ConfigRegistry } from '@moe/router';
import { serialization } from '@tensorflow/tfjs-core';
import { BatchNorm } from './batch-norm.js';
import { BlockMoe } from './block-moe.js';
import { ConvMoe } from './conv-moe.js';
import { CustomMoe } from './custom-moe.js';
import { DenseMoe } from './dense-moe.js';
import { LinearMoe } from './linear-moe.js';
import { Conv } from './conv.js';
import { Dropout } from './dropout.js';
import { GateFeatures } from './gate-features.js';
import { Linear } from './linear.js';
import { Normalize } from './normalize.js';
import { PatchMoe } from './patch-moe.js';
import { registerParts } from './registry.js';
import { StageMoe } from './stage-moe.js';
import { Attention } from './tokens/attention.js';
import { AttentionPool } from './tokens/attention-pool.js';
import { FeedForward } from './tokens/feed-forward.js';
import { LayerNorm } from './tokens/layer-norm.js';
import { Patches } from './tokens/patches.js';
import { Pool } from './tokens/pool.js';
import { Tokens } from './tokens/tokens.js';

/**
 * Makes the layers of this package known to tfjs, so that `loadLayersModel` can build them.
 *
 * @remarks
 * Importing the package registers nothing; `resnet` calls this itself. Calling it again does no harm: parts that were registered before stay.
 *
 * @param parts - routers, gate networks and balance losses of your own, by the names that saved models know them by: a function of the saved options for each, a loss as it is.
 * @throws {@link ArgumentError} if `parts` has another key. Loading throws it if a model needs a name that nobody registered.
 *
 * @example
 * registerMoeLayers({ routers: { roundRobin: ({ numExperts }) => roundRobin(numExperts as number) } });
 * const model = await loadLayersModel(io.fromMemory(artifacts));
 */
export function registerMoeLayers(parts: ConfigRegistry = {}): void {
  expectKnownKeys('registerMoeLayers', parts, ['routers', 'gates', 'losses']);
  registerParts(parts);
  for (const layer of [BatchNorm, BlockMoe, Conv, ConvMoe, CustomMoe, PatchMoe, Linear, Normalize, Dropout, GateFeatures, StageMoe, DenseMoe, LinearMoe, Attention, AttentionPool, FeedForward, LayerNorm, Patches, Pool, Tokens]) serialization.registerClass(layer);
}
