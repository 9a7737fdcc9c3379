import type { Benchmark, MeasuredRow } from '../benchmark.js';
import { byTurns } from '../side.js';
import { expectAgreement } from './agreement.js';
import { type Setting, withFolder, withSides } from './sides.js';

const WORKER = new URL('worker.ts', import.meta.url);

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

/** Processor time on one thread each. */
const compare = (setting: Setting, { subject, limits, layers }: Comparison, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides(setting, WORKER, { subject, compile: false }, async function* (sides) {
    if (layers) await expectAgreement(subject, sides, true);
    await expectAgreement(subject, sides, false);
    for (const [task, limit] of Object.entries(limits)) {
      const [ours, theirs] = await byTurns(sides, (side) => (side === 0 ? task : peersTask(task)), rounds);
      yield { name: `tensorflow/${subject}/${task}`, ours: ours!.cpu, theirs: theirs!.cpu, unit: 'ms', ...(limit !== undefined && { limit }) };
    }
  });

/** The same against `torch.compile`. */
const compareCompiled = (setting: Setting, { subject, limits }: Comparison, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides(setting, WORKER, { subject, compile: true }, async function* (sides) {
    for (const task of Object.keys(limits).filter((name) => name === peersTask(name))) {
      const [ours, theirs] = await byTurns(sides, () => task, rounds);
      yield { name: `tensorflow/${subject}/${task}/torch-compile`, ours: ours!.cpu, theirs: theirs!.cpu, unit: 'ms' };
    }
  });

/** Time by the clock on two threads each. On a machine that does other things as well it says nothing: waiting for threads costs PyTorch more. */
const compareWall = (setting: Setting, { subject, limits }: Comparison, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides({ ...setting, threads: 2 }, WORKER, { subject, compile: false }, async function* (sides) {
    for (const task of Object.keys(limits)) {
      const [ours, theirs] = await byTurns(sides, (side) => (side === 0 ? task : peersTask(task)), rounds);
      yield { name: `tensorflow/${subject}/${task}/wall-2-threads`, ours: ours!.wall, theirs: theirs!.wall, unit: 'ms, not to be quoted unless idle' };
    }
  });

/** The most memory that five training steps take, in processes that do nothing else. */
const compareMemory = (setting: Setting, subject: string): AsyncGenerator<MeasuredRow> =>
  withSides(setting, WORKER, { subject, compile: false }, async function* (sides) {
    await byTurns(sides, () => 'train-step', 4);
    const [ours, theirs] = await Promise.all(sides.map((side) => side.ask<{ mebibytes: number }>({ do: 'peak' })));
    yield { name: `tensorflow/${subject}/train-step/peak-memory`, ours: ours!.mebibytes, theirs: theirs!.mebibytes, unit: 'MiB', limit: MEMORY_LIMIT };
  });

/** The engine `tensorflow` against PyTorch, on the same networks, weights and images. */
const pytorch: Benchmark = ({ quick }) =>
  withFolder(async function* (setting) {
    for (const comparison of COMPARISONS) yield* compare(setting, comparison, quick ? 2 : comparison.rounds);
    yield* compareMemory(setting, 'resnet18-b64');
    if (quick) return;
    for (const comparison of COMPARISONS) {
      yield* compareWall(setting, comparison, comparison.rounds);
      yield* compareCompiled(setting, comparison, comparison.rounds);
    }
  });

export default pytorch;
