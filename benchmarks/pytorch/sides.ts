import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MeasuredRow } from '../benchmark.js';
import { type Side, startModule, startPython } from '../side.js';

export interface Setting {
  readonly python: string;
  /** Where our side leaves tensors for the peer. */
  readonly folder: string;
  readonly threads: number;
}

/** What the peer is asked to compute besides what our side computes. */
export interface Subject {
  readonly subject: string;
  /** Whether the peer compiles it. */
  readonly compile: boolean;
}

export type Sides = readonly [ours: Side, theirs: Side];

/** What a side answers when it is ready. */
interface Prepared {
  readonly versions: string;
}

/** Runs a comparison with the Python of `$MOE_BENCH_PYTHON`, one thread a side, and a folder that is gone afterwards. */
export async function* withFolder(use: (setting: Setting) => AsyncGenerator<MeasuredRow>): AsyncGenerator<MeasuredRow> {
  const python = process.env['MOE_BENCH_PYTHON'];
  if (python === undefined || python === '') {
    console.error('bench: the environment variable MOE_BENCH_PYTHON must name a Python that has PyTorch (`python3 -m venv DIR && DIR/bin/pip install torch numpy`, then DIR/bin/python).');
    process.exit(2);
  }
  const folder = await mkdtemp(join(tmpdir(), 'moe-bench-'));
  try {
    yield* use({ python, folder, threads: 1 });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Starts both sides, lets `use` work with them, and ends them; adds to the rows with which versions and on what they were measured. */
export async function* withSides({ python, folder, threads }: Setting, worker: URL, { subject, compile }: Subject, use: (sides: Sides) => AsyncGenerator<MeasuredRow>): AsyncGenerator<MeasuredRow> {
  const sides: Sides = [startModule('our side', worker, [], threads), startPython(python, new URL('peer.py', import.meta.url), threads)];
  try {
    const ours = await sides[0].ask<Prepared>({ do: 'prepare', subject, folder, threads });
    const theirs = await sides[1].ask<Prepared>({ do: 'prepare', subject, folder, threads, compile });
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]?.toFixed(1)}`;
    for await (const row of use(sides)) yield { ...row, conditions: `${ours.versions}; ${theirs.versions}; threads ${threads}; ${machine}` };
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
}
