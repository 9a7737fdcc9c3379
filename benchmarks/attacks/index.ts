import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import type { Benchmark } from '../benchmark.js';
import { pgdOnResnet } from './pgd.js';

/** Allowed time of PGD, in that of as many forward and backward passes: its own work and the judgement of the last point. */
const PGD_LIMIT = 1.05;

/** Cost of attacks on each engine that is installed. */
const attacks: Benchmark = async function* ({ quick, engine: only }) {
  for (const engine of ['wasm', 'tensorflow'] as const) {
    if ((only ?? engine) !== engine || (engine === 'tensorflow' && findTensorflow() === undefined)) continue;
    await useBackend(engine, engine === 'tensorflow' ? { threads: 1 } : {});
    const [width, batch] = engine === 'tensorflow' && !quick ? [64, 32] : [16, 16];
    yield* pgdOnResnet(engine, width, batch, quick ? 2 : 4, quick ? undefined : PGD_LIMIT);
  }
};

export default attacks;
