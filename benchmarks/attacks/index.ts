import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import type { Benchmark } from '../benchmark.js';
import { acrossBatches } from './batches.js';
import { againstOriginal } from './original.js';
import { pgdOnResnet } from './pgd.js';

/** Allowed time of PGD, in that of as many forward and backward passes: its own work and the judgement of the last point. */
const PGD_LIMIT = 1.05;

/** Cost of attacks on each engine that is installed; on tensorflow also verdicts that depend on the batch, and against the original AutoAttack, in the Python of `$MOE_BENCH_PYTHON`. */
const attacks: Benchmark = async function* ({ quick, engine: only, filter = '' }) {
  for (const engine of ['wasm', 'tensorflow'] as const) {
    if ((only ?? engine) !== engine || (engine === 'tensorflow' && findTensorflow() === undefined)) continue;
    await useBackend(engine, engine === 'tensorflow' ? { threads: 1 } : {});
    const [width, batch] = engine === 'tensorflow' && !quick ? [64, 32] : [16, 16];
    if (filter === '' || filter === 'pgd') yield* pgdOnResnet(engine, width, batch, quick ? 2 : 4, quick ? undefined : PGD_LIMIT);
    if (engine !== 'tensorflow' || quick) continue;
    if (filter === '' || filter === 'batch') yield* acrossBatches();
    if (filter === 'batch' || filter === 'pgd') continue;
    const python = process.env['MOE_BENCH_PYTHON'];
    if (python !== undefined && python !== '') yield* againstOriginal(python, filter);
    else console.error('bench: without MOE_BENCH_PYTHON, a Python with the original AutoAttack (see benchmarks/attacks/peer.py), its last results are in benchmarks/results/attacks.jsonl.');
  }
};

export default attacks;
