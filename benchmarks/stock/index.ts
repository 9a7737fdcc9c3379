import { cpus, loadavg } from 'node:os';
import type { Benchmark } from '../benchmark.js';
import { byTurns, startModule } from '../side.js';

const SUBJECT = 'tensorflow/layers-resnet18-b64';

/** How far logits and losses may be apart, in those of the largest. */
const AGREEMENT = 1e-4;

/** An ordinary `LayersModel` on the engine `tensorflow` against the same library under tfjs' own kernels and gradients, which is what the stock package would be if it had that library. */
const stock: Benchmark = async function* ({ quick }) {
  const worker = new URL('worker.ts', import.meta.url);
  const sides = [startModule('our side', worker, ['ours'], 1), startModule('the stock side', worker, ['stock'], 1)];
  try {
    const [{ versions }] = (await Promise.all(sides.map((side) => side.ask<{ versions: string }>({ do: 'prepare', threads: 1 })))) as [{ versions: string }, unknown];
    const conditions = `${versions}; threads 1; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]?.toFixed(1)}`;
    const [ours, theirs] = await Promise.all(sides.map((side) => side.ask<{ values: number[] }>({ do: 'check' })));
    const scale = Math.max(...theirs!.values.map(Math.abs));
    const apart = Math.max(...theirs!.values.map((value, i) => Math.abs(value - ours!.values[i]!))) / scale;
    // NaN fails, too.
    if (!(apart <= AGREEMENT)) throw new Error(`stock: logits and losses must agree to ${AGREEMENT}, got a difference of ${apart}.`);
    for (const task of ['forward', 'input-gradient', 'train-step']) {
      const [a, b] = await byTurns(sides, () => task, quick ? 2 : 4);
      yield { name: `${SUBJECT}/${task}`, ours: a!.cpu, theirs: b!.cpu, unit: 'ms', conditions };
    }
    const [a, b] = await Promise.all(sides.map((side) => side.ask<{ mebibytes: number }>({ do: 'peak' })));
    yield { name: `${SUBJECT}/peak-memory`, ours: a!.mebibytes, theirs: b!.mebibytes, unit: 'MiB', conditions };
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
};

export default stock;
