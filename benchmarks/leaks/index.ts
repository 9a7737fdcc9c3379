import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeTensorflow, findTensorflow } from '@moe/backend/node';
import type { Benchmark } from '../benchmark.js';
import { SUBJECTS, type SubjectName } from './subjects.js';
import type { Holdings } from './worker.js';

const WORKERS = ['127.0.0.1:23733', '127.0.0.1:23734'];
const run = promisify(execFile);
const MEBIBYTE = 2 ** 20;
/** MiB by which a process may grow: allocators keep some of what was freed. */
const ALLOWED = { memory: 4, javascript: 1 };

/** The most by which a value exceeds an earlier one. Memory that goes back to the system at some point does not hide a leak before or after it. */
function greatestRise(values: readonly number[]): number {
  let lowest = Infinity;
  let rise = 0;
  for (const value of values) {
    lowest = Math.min(lowest, value);
    rise = Math.max(rise, value - lowest);
  }
  return rise;
}

/** Steps before the first look, in parts of those that count. The buffers of gRPC take their time to reach their size: after 11,200 calls they had it. */
const WARM_UP: Readonly<Record<SubjectName, number>> = { 'train-step': 0.1, 'train-step-jit': 0.1, 'pgd-step': 0.1, 'layers-train-on-batch': 0.1, 'all-reduce': 1.2 };

async function repeat(subject: SubjectName, steps: number, config?: object): Promise<readonly Holdings[]> {
  const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
  const env = { ...process.env, ...(config && { TF_CONFIG: JSON.stringify(config) }) };
  const { stdout } = await run(process.execPath, ['--expose-gc', '--conditions=@moe/source', '--import', 'tsx', worker, subject, String(steps * WARM_UP[subject]), String(steps)], { env });
  return JSON.parse(stdout) as readonly Holdings[];
}

/** Of two processes, the first. */
async function repeatTogether(subject: SubjectName, steps: number): Promise<readonly Holdings[]> {
  const [first] = await Promise.all(WORKERS.map((_, index) => repeat(subject, steps, { cluster: { worker: WORKERS }, task: { type: 'worker', index } })));
  return first!;
}

/**
 * What 10,000 steps on the engine `tensorflow` leave behind, in a process for each subject, after a warm-up.
 * Memory: the greatest rise since then against what is allowed. Tensors and handles: the most since then against those at that time. Nothing where the engine is not installed.
 */
const leaks: Benchmark = async function* ({ quick, filter = '' }) {
  if (findTensorflow() === undefined) return;
  const steps = quick ? 1000 : 10_000;
  const conditions = `${steps} steps, 1 thread; TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
  for (const subject of (Object.keys(SUBJECTS) as SubjectName[]).filter((name) => name.includes(filter))) {
    const found = await (subject === 'all-reduce' ? repeatTogether : repeat)(subject, steps);
    const row = { limit: 1, conditions: `${conditions}; ${Math.round(found.at(-1)!.memory / MEBIBYTE)} MiB at the end` };
    const valuesOf = (kind: keyof Holdings): number[] => found.map((holdings) => holdings[kind]);
    const name = `tensorflow/leaks/${subject}`;
    for (const kind of ['memory', 'javascript'] as const) yield { ...row, name: `${name}/${kind}`, ours: greatestRise(valuesOf(kind)) / MEBIBYTE, theirs: ALLOWED[kind], unit: 'MiB' };
    for (const kind of ['tensors', 'handles'] as const) yield { ...row, name: `${name}/${kind}`, ours: Math.max(...valuesOf(kind)), theirs: found[0]![kind], unit: kind };
  }
};

export default leaks;
