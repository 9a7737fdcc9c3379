import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { MeasuredRow } from '../benchmark.js';

const WORKERS = ['127.0.0.1:23741', '127.0.0.1:23742'];
/** How far two processes may be from one with the whole batch: sums run in another order. */
const TOLERANCE = 1e-4;

async function weightsOf(environment: NodeJS.ProcessEnv): Promise<readonly (readonly number[])[]> {
  const worker = fileURLToPath(new URL('cluster-worker.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', worker], { env: { ...process.env, ...environment }, timeout: 300_000, maxBuffer: 2 ** 28 });
  return JSON.parse(stdout) as number[][];
}

const length = (values: readonly number[]): number => Math.sqrt(values.reduce((total, value) => total + value * value, 0));

/** Adversarial training of two processes through a cluster, each with half of every batch, against that of one process: the largest distance of a weight, relative to its length. */
export async function* compareProcesses(): AsyncGenerator<MeasuredRow> {
  const alone = await weightsOf({});
  const both = await Promise.all(WORKERS.map((_, index) => weightsOf({ TF_CONFIG: JSON.stringify({ cluster: { worker: WORKERS }, task: { type: 'worker', index } }) })));
  if (JSON.stringify(both[0]) !== JSON.stringify(both[1])) throw new Error('train: both workers must end with the same weights.');
  const apart = alone.map((values, i) => length(values.map((value, j) => value - both[0]![i]![j]!)) / Math.max(length(values), 1e-12));
  yield { name: 'tensorflow/mlp-b64/two-processes-as-one', ours: Math.max(...apart), theirs: TOLERANCE, unit: 'of a weight', limit: 1 };
}
