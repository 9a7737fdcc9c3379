import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Benchmark, MeasuredRow } from '../benchmark.js';
import { expectAgreement } from './agreement.js';
import { type Side, byTurns, startModule, startPython } from '../side.js';

interface Comparison {
  readonly subject: string;
  /** Allowed ratios by task; `undefined` for what is only shown. */
  readonly limits: Readonly<Record<string, number | undefined>>;
  /** Whether there is an ordinary model of tfjs too. */
  readonly layers: boolean;
  readonly rounds: number;
}

const COMPARISONS: readonly Comparison[] = [
  { subject: 'cnn28-b128', limits: { forward: 0.85, 'train-step': 0.85, 'pgd-10': 0.85 }, layers: false, rounds: 20 },
  {
    subject: 'resnet18-b64',
    limits: {
      forward: 1,
      'forward-eager': undefined,
      'input-gradient': 1,
      'input-gradient-eager': undefined,
      'input-gradient-layers': 1,
      'input-gradient-layers-eager': undefined,
      'pgd-step': 0.97,
      'pgd-step-eager': undefined,
      'train-step': 1,
      'train-step-eager': undefined,
    },
    layers: true,
    rounds: 4,
  },
];

/** Of the highest memory while training. */
const MEMORY_LIMIT = 1.25;

/** The peer knows only one way to do a thing. */
const peersTask = (task: string): string => task.replace(/(-layers)?(-eager)?$/, '');

/** What a side answers when it is ready. */
interface Prepared {
  readonly versions: string;
}

interface Setting {
  readonly python: string;
  readonly folder: string;
  readonly threads: number;
}

type Sides = readonly [ours: Side, theirs: Side];

/** Starts both sides, lets `use` work with them, and ends them; adds to the rows with which versions and on what they were measured. */
async function* withSides({ python, folder, threads }: Setting, subject: string, compile: boolean, use: (sides: Sides) => AsyncGenerator<MeasuredRow>): AsyncGenerator<MeasuredRow> {
  const sides: Sides = [
    startModule('our side', new URL('worker.ts', import.meta.url), [], threads),
    startPython(python, new URL('peer.py', import.meta.url), threads),
  ];
  try {
    const ours = await sides[0].ask<Prepared>({ do: 'prepare', subject, folder, threads });
    const theirs = await sides[1].ask<Prepared>({ do: 'prepare', subject, folder, threads, compile });
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]?.toFixed(1)}`;
    for await (const row of use(sides)) yield { ...row, conditions: `${ours.versions}; ${theirs.versions}; threads ${threads}; ${machine}` };
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
}

/** Processor time on one thread each. */
const compare = (setting: Setting, { subject, limits, layers }: Comparison, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides(setting, subject, false, async function* (sides) {
    if (layers) await expectAgreement(subject, sides, true);
    await expectAgreement(subject, sides, false);
    for (const [task, limit] of Object.entries(limits)) {
      const [ours, theirs] = await byTurns(sides, (side) => (side === 0 ? task : peersTask(task)), rounds);
      yield { name: `tensorflow/${subject}/${task}`, ours: ours!.cpu, theirs: theirs!.cpu, unit: 'ms', ...(limit !== undefined && { limit }) };
    }
  });

/** The same against `torch.compile`. */
const compareCompiled = (setting: Setting, { subject, limits }: Comparison, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides(setting, subject, true, async function* (sides) {
    for (const task of Object.keys(limits).filter((name) => name === peersTask(name))) {
      const [ours, theirs] = await byTurns(sides, () => task, rounds);
      yield { name: `tensorflow/${subject}/${task}/torch-compile`, ours: ours!.cpu, theirs: theirs!.cpu, unit: 'ms' };
    }
  });

/** Time by the clock on two threads each. On a machine that does other things as well it says nothing: waiting for threads costs PyTorch more. */
const compareWall = (setting: Setting, { subject, limits }: Comparison, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides({ ...setting, threads: 2 }, subject, false, async function* (sides) {
    for (const task of Object.keys(limits)) {
      const [ours, theirs] = await byTurns(sides, (side) => (side === 0 ? task : peersTask(task)), rounds);
      yield { name: `tensorflow/${subject}/${task}/wall-2-threads`, ours: ours!.wall, theirs: theirs!.wall, unit: 'ms, not to be quoted unless idle' };
    }
  });

/** The most memory that five training steps take, in processes that do nothing else. */
const compareMemory = (setting: Setting, subject: string): AsyncGenerator<MeasuredRow> =>
  withSides(setting, subject, false, async function* (sides) {
    await byTurns(sides, () => 'train-step', 4);
    const [ours, theirs] = await Promise.all(sides.map((side) => side.ask<{ mebibytes: number }>({ do: 'peak' })));
    yield { name: `tensorflow/${subject}/train-step/peak-memory`, ours: ours!.mebibytes, theirs: theirs!.mebibytes, unit: 'MiB', limit: MEMORY_LIMIT };
  });

/** The engine `tensorflow` against PyTorch, on the same networks, weights and images. */
const pytorch: Benchmark = async function* ({ quick }) {
  const python = process.env['MOE_BENCH_PYTHON'];
  if (python === undefined || python === '') {
    console.error('bench: the environment variable MOE_BENCH_PYTHON must name a Python that has PyTorch (`python3 -m venv DIR && DIR/bin/pip install torch numpy`, then DIR/bin/python).');
    process.exit(2);
  }
  const folder = await mkdtemp(join(tmpdir(), 'moe-bench-'));
  const setting = { python, folder, threads: 1 };
  try {
    for (const comparison of COMPARISONS) yield* compare(setting, comparison, quick ? 2 : comparison.rounds);
    yield* compareMemory(setting, 'resnet18-b64');
    if (quick) return;
    for (const comparison of COMPARISONS) {
      yield* compareWall(setting, comparison, comparison.rounds);
      yield* compareCompiled(setting, comparison, comparison.rounds);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
};

export default pytorch;
