import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import type { Benchmark } from '../benchmark.js';
import { type Limits, compareExperts, compareGrouped, compareStatic } from './compare.js';
import { convSubject, denseSubject } from './subjects.js';

/** Allowed time of an MoE layer with k = 1, in those of one expert over the same rows, by number of experts. */
const LIMITS: Readonly<Record<'wasm' | 'tensorflow', readonly (readonly [numExperts: number, limits: Limits])[]>> = {
  wasm: [[4, [1.2, 1.5]], [16, [1.2, 1.5]]],
  tensorflow: [[4, [1.12, 1.15]], [16, [1.12, 1.15]], [64, [1.35, 1.4]]],
};

/** Allowed in a quick run, whose subjects are smaller, so that fixed costs weigh more; on a fast engine too much to judge. */
const QUICK_LIMITS: Readonly<Record<'wasm' | 'tensorflow', Limits | undefined>> = { wasm: [1.3, 1.6], tensorflow: undefined };

/** Allowed time of dispatch at fixed capacity, in those of grouped dispatch. */
const STATIC_LIMIT = 1.25;

/** Dispatch on each engine that is installed. */
const dispatch: Benchmark = async function* ({ quick, engine: only }) {
  for (const engine of ['wasm', 'tensorflow'] as const) {
    if ((only ?? engine) !== engine || (engine === 'tensorflow' && findTensorflow() === undefined)) continue;
    await useBackend(engine, engine === 'tensorflow' ? { threads: 1 } : {});
    const conv = quick ? convSubject(256, 256) : convSubject(512, 512);
    const tokens = quick ? denseSubject(1024, 128, 512) : denseSubject(4096, 384, 1536);
    for (const [numExperts, limits] of LIMITS[engine].filter(([count]) => !quick || count < 64)) {
      yield* compareGrouped(engine, conv, numExperts, quick ? 8 : 6, quick ? QUICK_LIMITS[engine] : limits);
      yield* compareGrouped(engine, tokens, numExperts, 10, quick ? undefined : limits);
      if (engine === 'tensorflow' && !quick && numExperts > 4) {
        yield* compareGrouped(engine, convSubject(512, 512, 'conv-gap'), numExperts, 6, undefined);
        yield* compareExperts(engine, conv, numExperts, 6);
      }
    }
    yield* compareStatic(engine, conv, 16, quick ? 8 : 6, quick ? undefined : STATIC_LIMIT);
  }
};

export default dispatch;
