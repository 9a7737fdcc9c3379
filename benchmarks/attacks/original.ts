// Shapes: B batch, H W pixels, C channels.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttackNorm, autoAttackParts, fab } from '@moe/attacks';
import { jit } from '@moe/backend';
import { describeTensorflow } from '@moe/backend/node';
import { type Attack, createRng } from '@moe/core';
import { dispose, tensor1d, tensor4d } from '@tensorflow/tfjs-core';
import type { MeasuredRow } from '../benchmark.js';
import { type Ledger, openLedger } from '../ledger.js';
import { type Cost, type Side, startPython } from '../side.js';
import { writeTensors } from '../pytorch/tensors.js';
import { type Victim, trainedVictim } from './victims.js';

/** A version of ours, held against one of the original's. */
interface Version {
  readonly name: 'standard' | 'quick' | 'plus';
  readonly against: keyof typeof ORDERS;
  /** Allowed processor time, in that of the original's. */
  readonly limit: number;
}

/** Parts of the original's versions, in order; ours have the same order. */
const ORDERS = {
  standard: ['apgd-ce', 'apgd-t', 'fab-t', 'square'],
  plus: ['apgd-ce', 'apgd-dlr', 'fab', 'square', 'apgd-t', 'fab-t'],
} as const;

const STANDARD: Version = { name: 'standard', against: 'standard', limit: 1 };
const QUICK: Version = { name: 'quick', against: 'standard', limit: 0.3 };
const PLUS: Version = { name: 'plus', against: 'plus', limit: 1 };

interface Comparison {
  readonly victim: string;
  readonly norm: AttackNorm;
  readonly eps: number;
  readonly versions: readonly Version[];
  /** Parts by themselves, by the original's names, and seeds of the original for those that draw. */
  readonly parts: readonly string[];
  readonly seeds: readonly number[];
}

const PARTS = [...ORDERS.standard, 'fab'];
/** Parts without random draws. */
const STEADY: readonly string[] = ['fab', 'fab-t'];

const COMPARISONS: readonly Comparison[] = [
  { victim: 'cnn28', norm: 'Linf', eps: 0.1, versions: [STANDARD, QUICK], parts: PARTS, seeds: [0, 1, 2] },
  { victim: 'cnn28', norm: 'L2', eps: 1.5, versions: [STANDARD, QUICK, PLUS], parts: PARTS, seeds: [0, 1, 2] },
  { victim: 'cnn28', norm: 'L1', eps: 4, versions: [STANDARD, QUICK], parts: PARTS, seeds: [0, 1] },
  { victim: 'resnet18', norm: 'Linf', eps: 4 / 255, versions: [STANDARD, QUICK], parts: [], seeds: [] },
];

/** By how much of all images a robust accuracy may be higher than the original's: half a point. */
const SLACK = 0.005;

/** What an attack left of some images, `'1'` for each still right, what it cost, and how busy the machine was. */
interface Outcome extends Cost {
  readonly robust: string;
  readonly load: number;
}

/** One network under both attacks; every run is kept as soon as it ends. */
interface Match {
  readonly comparison: Comparison;
  readonly victim: Victim;
  readonly peer: Side;
  readonly ledger: Ledger;
}

function run(attack: Attack, { model, images, imageShape, labels }: Victim, rows: readonly number[]): Outcome {
  const [, ...shape] = imageShape;
  const size = images.length / labels.length;
  const chosen = new Float32Array(rows.length * size);
  rows.forEach((row, i) => chosen.set(images.subarray(row * size, (row + 1) * size), i * size));
  const [x, y] = [tensor4d(chosen, [rows.length, ...shape]), tensor1d(rows.map((row) => labels[row]!), 'int32')];
  const wall = performance.now();
  const before = process.cpuUsage();
  const found = attack.perturb(model, x, y, { rng: createRng(1), exampleIds: rows });
  const { user, system } = process.cpuUsage(before);
  const cost = { cpu: (user + system) / 1e3, wall: performance.now() - wall };
  const robust = Array.from(found.success.dataSync(), (success) => 1 - success).join('');
  dispose([x, y, ...Object.values(found)]);
  return { ...cost, robust, load: busy() };
}

const busy = (): number => loadavg()[0] ?? 0;
const allOf = ({ labels }: Victim): number[] => Array.from(labels, (_, row) => row);

const runOurs = ({ victim, ledger }: Match, attack: Attack, rows: readonly number[]): Promise<Outcome> =>
  ledger.once(`ours ${attack.name} ${JSON.stringify(attack.options)} ${rows.join()}`, () => run(attack, victim, rows));

const runTheirs = ({ peer, ledger }: Match, version: string, attack: string, seed: number, rows: readonly number[]): Promise<Outcome> =>
  ledger.once(`theirs ${version} ${attack} ${seed} ${rows.join()}`, async () => ({ ...(await peer.ask<Outcome>({ do: 'attack', version, attack, seed, rows })), load: busy() }));

/** Parts one after the other, each on what those before it left. */
async function inTurn<Part>(parts: readonly Part[], victim: Victim, attack: (part: Part, rows: readonly number[]) => Promise<Outcome>): Promise<Outcome> {
  let standing = allOf(victim);
  const total = { cpu: 0, wall: 0, load: 0 };
  for (const part of parts) {
    if (standing.length === 0) break;
    const { robust, cpu, wall, load } = await attack(part, standing);
    standing = standing.filter((_, i) => robust[i] === '1');
    Object.assign(total, { cpu: total.cpu + cpu, wall: total.wall + wall, load: Math.max(total.load, load) });
  }
  const left = new Set(standing);
  return { ...total, robust: allOf(victim).map((row) => Number(left.has(row))).join('') };
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

const titleOf = ({ victim, norm }: Comparison): string => `tensorflow/${victim}/${norm}`;
const loadOf = (...outcomes: readonly Outcome[]): string => `load up to ${Math.max(...outcomes.map(({ load }) => load)).toFixed(1)}`;

async function* compareVersion(match: Match, { name, against, limit }: Version): AsyncGenerator<MeasuredRow> {
  const { comparison, victim } = match;
  const { norm, eps } = comparison;
  const title = `${titleOf(comparison)}/${name}`;
  const original = await inTurn(ORDERS[against], victim, (part, rows) => runTheirs(match, against, part, 0, rows));
  const ours = await inTurn(autoAttackParts({ norm, eps, version: name, compile: jit }), victim, (part, rows) => runOurs(match, part, rows));
  const conditions = loadOf(ours, original);
  yield { name: title, ours: ours.cpu / 1e3, theirs: original.cpu / 1e3, unit: 's', limit, conditions };
  yield { name: `${title}/wall`, ours: ours.wall / 1e3, theirs: original.wall / 1e3, unit: 's, not to be quoted unless idle', conditions };
  yield verdicts(title, victim.labels.length, ours, [original]);
}

async function* comparePart(match: Match, part: string): AsyncGenerator<MeasuredRow> {
  const { comparison, victim } = match;
  const { norm, eps, seeds } = comparison;
  const title = `${titleOf(comparison)}/${part}`;
  const all = allOf(victim);
  const shared = { norm, eps, compile: jit };
  const attack = part === 'fab' ? fab(shared) : autoAttackParts(shared)[ORDERS.standard.findIndex((other) => other === part)]!;
  const ours = await runOurs(match, attack, all);
  const theirs: Outcome[] = [];
  for (const seed of STEADY.includes(part) ? seeds.slice(0, 1) : seeds) theirs.push(await runTheirs(match, 'standard', part, seed, all));
  yield { name: title, ours: ours.cpu / 1e3, theirs: Math.min(...theirs.map(({ cpu }) => cpu)) / 1e3, unit: 's', conditions: loadOf(ours, ...theirs) };
  yield verdicts(title, victim.labels.length, ours, theirs);
}

/** Where CIFAR-10 lies as folders `train` and `test` of classes, for the larger network. */
const CIFAR = process.env['MOE_BENCH_CIFAR10'];
/** Victims, and the runs of comparisons that were interrupted. */
const FOLDER = join(tmpdir(), 'moe-bench-attacks');

/** Lets both sides attack one network, and adds to the rows with which versions and on what they were measured. */
async function* compare(python: string, comparison: Comparison): AsyncGenerator<MeasuredRow> {
  const { victim: name, norm, eps, versions: ourVersions, parts } = comparison;
  const victim = await trainedVictim(name, FOLDER, CIFAR ?? '');
  const folder = await mkdtemp(join(tmpdir(), 'moe-bench-'));
  const peer = startPython(python, new URL('peer.py', import.meta.url), 1);
  try {
    const { weights, images, imageShape, labels } = victim;
    await writeTensors(folder, [...weights, { name: 'images', shape: imageShape, values: images }, { name: 'labels', shape: [labels.length], values: Float32Array.from(labels) }]);
    const { versions } = await peer.ask<{ versions: string }>({ do: 'prepare', victim: name, folder, norm, eps });
    const setting = `TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}; ${versions}; threads 1; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
    const hash = createHash('sha256');
    for (const { values } of weights) hash.update(values);
    const ledger = await openLedger(join(FOLDER, `${name}-${norm}.json`), `${setting}; eps ${eps}; weights ${hash.digest('hex')}`);
    const match = { comparison, victim, peer, ledger };
    for (const version of ourVersions) for await (const row of compareVersion(match, version)) yield withSetting(row, setting);
    for (const part of parts) for await (const row of comparePart(match, part)) yield withSetting(row, setting);
    await ledger.clear();
  } finally {
    await peer.close();
    await rm(folder, { recursive: true });
  }
}

const withSetting = (row: MeasuredRow, setting: string): MeasuredRow => ({ ...row, conditions: `${setting}; ${row.conditions}` });

/** A comparison with those of its versions and parts whose names contain a text. */
function chosenOf(comparison: Comparison, filter: string): Comparison {
  const named = (what: string): boolean => `${titleOf(comparison)}/${what}`.includes(filter);
  return { ...comparison, versions: comparison.versions.filter(({ name }) => named(name)), parts: comparison.parts.filter(named) };
}

/**
 * Our AutoAttack against the original on the same weights and images, one thread each, in processor time: as a whole, then part by part.
 *
 * @remarks
 * Every single run is kept in the folder of the victims until its comparison is complete, so that a call that was interrupted goes on where it was. After a change of an attack's code remove
 * `moe-bench-attacks/*.json` there.
 *
 * @param python - has the original, see peer.py.
 * @param filter - only versions and parts whose names contain it, such as `cnn28/L2/quick`.
 */
export async function* againstOriginal(python: string, filter: string): AsyncGenerator<MeasuredRow> {
  const chosen = COMPARISONS.map((comparison) => chosenOf(comparison, filter)).filter(({ victim, versions, parts }) => versions.length + parts.length > 0 && (victim !== 'resnet18' || CIFAR !== undefined));
  for (const comparison of chosen) yield* compare(python, comparison);
}
