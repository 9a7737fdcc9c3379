import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { findTensorflow } from '@moe/backend/node';
import type { BenchmarkOptions, MeasuredRow } from '../benchmark.js';

/** Milliseconds that a program may wait for its first result. */
const ALLOWED = 2000;

const PROGRAM = `
const { performance } = await import('node:perf_hooks');
const { useBackend } = await import('@moe/backend');
const { add } = await import('@tensorflow/tfjs-core');
await useBackend('tensorflow');
if (add(1, 2).dataSync()[0] !== 3) throw new Error('1 + 2 must be 3.');
console.log(performance.now());
process.exit(0);
`;

const run = promisify(execFile);

/** From the start of a process to its first result on the engine `tensorflow`: the fastest of several, in time of the clock. Of the built package, as users have it; run `pnpm build` first. */
export async function* startRows({ quick }: BenchmarkOptions): AsyncGenerator<MeasuredRow> {
  if (findTensorflow() === undefined) return;
  if (!existsSync(new URL('../../packages/backend/dist', import.meta.url))) throw new Error('bench: the packages must be built. Run `pnpm build`.');
  let fastest = Infinity;
  for (let i = 0; i < (quick ? 2 : 5); i++) {
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', PROGRAM], { cwd: import.meta.dirname });
    fastest = Math.min(fastest, Number(stdout));
  }
  yield { name: 'tensorflow/start', ours: fastest, theirs: ALLOWED, unit: 'ms', ...(!quick && { limit: 1 }) };
}
