// Shapes: B batch, H W pixels, C channels.
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttackNorm, apgd, apgdTargeted, autoAttack, fabTargeted, square } from '@moe/attacks';
import { jit } from '@moe/backend';
import { describeTensorflow } from '@moe/backend/node';
import { type Attack, createRng } from '@moe/core';
import { dispose, tensor1d, tensor4d } from '@tensorflow/tfjs-core';
import type { MeasuredRow } from '../benchmark.js';
import { type Cost, type Side, startPython } from '../side.js';
import { writeTensors } from '../pytorch/tensors.js';
import { type Victim, trainedVictim } from './victims.js';

interface Comparison {
  readonly victim: string;
  readonly norm: AttackNorm;
  readonly eps: number;
  /** Seeds of the original, for the parts by themselves; without parts only the whole is compared. */
  readonly seeds: readonly number[];
}

const COMPARISONS: readonly Comparison[] = [
  { victim: 'cnn28', norm: 'Linf', eps: 0.1, seeds: [0, 1, 2] },
  { victim: 'cnn28', norm: 'L2', eps: 1.5, seeds: [0, 1, 2] },
  { victim: 'cnn28', norm: 'L1', eps: 4, seeds: [0, 1] },
  { victim: 'resnet18', norm: 'Linf', eps: 4 / 255, seeds: [] },
];

/** Allowed processor time, in that of the original's standard version. */
const LIMITS = { standard: 1, quick: 0.3 };
/** By how much of all images a robust accuracy may be higher than the original's: half a point. */
const SLACK = 0.005;

/** The parts of the standard version, by the original's names. */
const parts = ({ norm, eps }: Comparison): Readonly<Record<string, Attack>> => {
  const shared = { norm, eps, compile: jit };
  return {
    'apgd-ce': apgd(norm === 'L1' ? { ...shared, restarts: 5 } : shared),
    'apgd-t': apgdTargeted(norm === 'L1' ? { ...shared, targets: 5 } : shared),
    'fab-t': fabTargeted(shared),
    square: square(shared),
  };
};

/** What an attack left, `'1'` for each image still right, and what it cost. */
interface Outcome extends Cost {
  readonly robust: string;
}

function run(attack: Attack, { model, images, imageShape, labels }: Victim, seed: number): Outcome {
  const [x, y] = [tensor4d(images.slice(), [...imageShape]), tensor1d(labels, 'int32')];
  const wall = performance.now();
  const before = process.cpuUsage();
  const found = attack.perturb(model, x, y, { rng: createRng(seed) });
  const { user, system } = process.cpuUsage(before);
  const cost = { cpu: (user + system) / 1e3, wall: performance.now() - wall };
  const robust = Array.from(found.success.dataSync(), (success) => 1 - success).join('');
  dispose([x, y, ...Object.values(found)]);
  return { ...cost, robust };
}

const count = ({ robust }: Outcome): number => robust.split('1').length - 1;
const differing = (a: Outcome, b: Outcome): number => Array.from(a.robust).filter((flag, i) => flag !== b.robust[i]).length;

/** Robust images of both sides; ours may be more by half a point, and by what the original's own seeds differ. */
function verdicts(name: string, images: number, ours: Outcome, theirs: readonly Outcome[]): MeasuredRow {
  const counts = theirs.map(count);
  const most = Math.max(...counts) + SLACK * images;
  const mean = counts.reduce((total, value) => total + value, 0) / counts.length;
  const spread = theirs.length > 1 ? `, the original's ${counts.join(', ')} for its seeds, which differ in ${theirs.slice(1).map((other) => differing(theirs[0]!, other)).join(', ')}` : '';
  const note = `verdicts differ for ${theirs.map((other) => differing(ours, other)).join(', ')} images${spread}`;
  return { name: `${name}/robust`, ours: count(ours), theirs: mean, unit: `of ${images}`, limit: most / mean, conditions: note };
}

type Compare = (comparison: Comparison, victim: Victim, peer: Side) => AsyncGenerator<MeasuredRow>;

const titleOf = ({ victim, norm }: Comparison): string => `tensorflow/${victim}/${norm}`;

const compareVersions: Compare = async function* (comparison, victim, peer) {
  const { norm, eps } = comparison;
  const title = titleOf(comparison);
  const original = await peer.ask<Outcome>({ do: 'attack', attack: 'standard', seed: 0 });
  for (const version of ['standard', 'quick'] as const) {
    const ours = run(autoAttack({ norm, eps, version, compile: jit }), victim, 1);
    yield { name: `${title}/${version}`, ours: ours.cpu / 1e3, theirs: original.cpu / 1e3, unit: 's', limit: LIMITS[version] };
    yield { name: `${title}/${version}/wall`, ours: ours.wall / 1e3, theirs: original.wall / 1e3, unit: 's, not to be quoted unless idle' };
    yield verdicts(`${title}/${version}`, victim.labels.length, ours, [original]);
  }
};

const compareParts: Compare = async function* (comparison, victim, peer) {
  const title = titleOf(comparison);
  for (const [name, attack] of Object.entries(parts(comparison))) {
    const ours = run(attack, victim, 1);
    const theirs: Outcome[] = [];
    for (const seed of comparison.seeds) theirs.push(await peer.ask<Outcome>({ do: 'attack', attack: name, seed }));
    yield { name: `${title}/${name}`, ours: ours.cpu / 1e3, theirs: Math.min(...theirs.map(({ cpu }) => cpu)) / 1e3, unit: 's' };
    yield verdicts(`${title}/${name}`, victim.labels.length, ours, theirs);
  }
};

/** Where CIFAR-10 lies as folders `train` and `test` of classes, for the larger network. */
const CIFAR = process.env['MOE_BENCH_CIFAR10'];

/** Lets both sides attack one network, and adds to the rows with which versions and on what they were measured. */
async function* withPeer(python: string, comparison: Comparison, compare: Compare): AsyncGenerator<MeasuredRow> {
  const { victim: name, norm, eps } = comparison;
  const victim = await trainedVictim(name, join(tmpdir(), 'moe-bench-attacks'), CIFAR ?? '');
  const folder = await mkdtemp(join(tmpdir(), 'moe-bench-'));
  const peer = startPython(python, new URL('peer.py', import.meta.url), 1);
  try {
    const { weights, images, imageShape, labels } = victim;
    await writeTensors(folder, [...weights, { name: 'images', shape: imageShape, values: images }, { name: 'labels', shape: [labels.length], values: Float32Array.from(labels) }]);
    const { versions } = await peer.ask<{ versions: string }>({ do: 'prepare', victim: name, folder, norm, eps });
    const setting = `TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}; ${versions}; threads 1; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
    for await (const row of compare(comparison, victim, peer)) {
      yield { ...row, conditions: `${setting}, load ${loadavg()[0]?.toFixed(1)}${row.conditions === undefined ? '' : `; ${row.conditions}`}` };
    }
  } finally {
    await peer.close();
    await rm(folder, { recursive: true });
  }
}

/**
 * Our AutoAttack against the original on the same weights and images, one thread each, in processor time: first as a whole on every network, then part by part.
 *
 * @param python - has the original, see peer.py.
 * @param filter - only comparisons whose name contains it.
 */
export async function* againstOriginal(python: string, filter: string): AsyncGenerator<MeasuredRow> {
  const chosen = COMPARISONS.filter(({ victim, norm }) => `${victim}/${norm}`.includes(filter) && (victim !== 'resnet18' || CIFAR !== undefined));
  for (const comparison of chosen) yield* withPeer(python, comparison, compareVersions);
  for (const comparison of chosen.filter(({ seeds }) => seeds.length > 0)) yield* withPeer(python, comparison, compareParts);
}
