import type { Benchmark, MeasuredRow } from '../benchmark.js';
import { type Setting, withFolder, withSides } from '../pytorch/sides.js';
import { byTurns } from '../side.js';
import { compareProcesses } from './cluster.js';

/** Allowed share of PyTorch's processor time, and of its highest memory. */
const LIMITS = { time: 1, memory: 1.25 };
/** How far the losses of the two sides may be apart, relative to them: the sign of a slope near 0 may differ, and with it a pixel of the attack. */
const MOST_APART = 1e-2;
/** The first two steps of a compiled function run as they are. */
const CHECKED_STEPS = 3;

const SUBJECTS = { 'resnet18-w16-b128': 4, 'resnet18-w16-b128-block-moe': 4, 'resnet18-w64-b64': 2, 'resnet18-w64-b64-block-moe': 2 };

/** A step of adversarial training against PGD-7, on one thread each, and the most memory that it took. */
const compare = (setting: Setting, subject: string, rounds: number): AsyncGenerator<MeasuredRow> =>
  withSides(setting, new URL('worker.ts', import.meta.url), { subject, compile: false }, async function* (sides) {
    const [ours, theirs] = await Promise.all(sides.map((side) => side.ask<{ losses: readonly number[] }>({ do: 'train', steps: CHECKED_STEPS })));
    const apart = Math.max(...theirs!.losses.map((loss, i) => Math.abs((ours!.losses[i] ?? Number.NaN) / loss - 1)));
    // NaN fails, too.
    if (!(apart <= MOST_APART)) throw new Error(`train: losses of ${subject} must agree to ${MOST_APART}, got ${ours!.losses.join(', ')} and ${theirs!.losses.join(', ')}.`);
    const [mine, other] = await byTurns(sides, () => 'adversarial-step', rounds);
    yield { name: `tensorflow/${subject}/pgd-7-step`, ours: mine!.cpu, theirs: other!.cpu, unit: 'ms', limit: LIMITS.time };
    const peaks = await Promise.all(sides.map((side) => side.ask<{ mebibytes: number }>({ do: 'peak' })));
    yield { name: `tensorflow/${subject}/pgd-7-step/peak-memory`, ours: peaks[0]!.mebibytes, theirs: peaks[1]!.mebibytes, unit: 'MiB', limit: LIMITS.memory };
  });

/** Adversarial training on the engine `tensorflow` against PyTorch: the same networks, weights and images; ResNet-18 dense, and with four experts for each block of its last stage. */
const train: Benchmark = ({ quick }) =>
  withFolder(async function* (setting) {
    for (const [subject, rounds] of Object.entries(SUBJECTS)) {
      if (!quick || subject.includes('-w16-')) yield* compare(setting, subject, quick ? 1 : rounds);
    }
    yield* compareProcesses();
  });

export default train;
