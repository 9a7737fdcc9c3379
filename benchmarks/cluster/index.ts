import { execFile } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Benchmark } from '../benchmark.js';
import type { Times } from './worker.js';

const WORKERS = ['127.0.0.1:23731', '127.0.0.1:23732'];
const run = promisify(execFile);

/** Two processes with one thread each exchange the gradients of a ResNet-18 of width 16 on batches of 64. */
const cluster: Benchmark = async function* ({ quick }) {
  const outputs = await Promise.all(
    WORKERS.map((_, index) => {
      const TF_CONFIG = JSON.stringify({ cluster: { worker: WORKERS }, task: { type: 'worker', index } });
      const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
      return run(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', worker, quick ? '3' : '15'], { env: { ...process.env, TF_CONFIG }, timeout: 300_000 });
    }),
  );
  const { step, packed, apart, sequential, overlapped } = JSON.parse(outputs[0]!.stdout) as Times;
  const conditions = `2 processes, 1 thread each, by the clock; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]?.toFixed(1)}`;
  yield { name: 'tensorflow/resnet18-w16-b64/exchange-packed-or-apart', ours: packed, theirs: apart, unit: 'ms', limit: 1, conditions };
  yield { name: 'tensorflow/resnet18-w16-b64/exchange-in-a-step', ours: packed, theirs: step, unit: 'ms', conditions };
  yield { name: 'tensorflow/resnet18-w16-b64/exchange-overlapped-or-not', ours: overlapped, theirs: sequential, unit: 'ms', conditions };
};

export default cluster;
