// Shapes: B batch, M classes.
import { type Tensor, type Tensor1D, gather, tensor1d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type Batch, type Bounds, type LogitsFn, NumericsError, type Rng } from '@moe/core';
import { DISTANCES, type MinimumNorm } from '../geometry/geometry.js';
import { ceRow } from '../losses/ce-loss.js';
import { measure } from '../internal/measure.js';
import type { Target } from '../internal/objective.js';
import { type PerExample, rowsOf } from '../internal/per-example.js';
import { type Problem, createProblem, expectWithinBounds, rowOf } from '../internal/problem.js';
import type { Evidence } from './evaluation.js';
import { isDistribution, isLogDistribution, significantBits } from './outputs.js';
import type { Tally } from './tally.js';

export interface BatchJob {
  readonly model: LogitsFn;
  readonly batch: Batch;
  readonly bounds: Bounds;
  readonly attacks: readonly Attack[];
  readonly rng: Rng;
  /** Draws of the model's noise behind every verdict. */
  readonly draws: number;
  readonly signal: AbortSignal | undefined;
  /** Called when the clean pass is done, and after each step of each attack. */
  readonly onProgress: (attack: Attack | undefined, fraction: number) => void;
  /** Lets timers and signals run between attacks. */
  readonly pause: () => Promise<void>;
}

/** Judges one batch: clean, its signs of trouble, then every attack on every row that is right. */
export async function judgeBatch(job: BatchJob): Promise<Tally> {
  const { model, batch, bounds, attacks, draws } = job;
  const inputs = tensor4d(batch.inputs.slice(), [...batch.shape]);
  const labels = tensor1d(batch.labels, 'int32');
  try {
    const problemOf = (): Problem => createProblem('evaluate', model, inputs, labels, { rng: job.rng, exampleIds: batch.ids }, bounds);
    const problem = problemOf();
    const rows = Array.from(batch.labels.keys());
    const clean = judgeDraws(problem, problem.inputs, rows, draws);
    const right = rows.filter((row) => clean.wrong[row] === 0);
    // A model that is judged over many draws must at least give the same for the same draw.
    const sameDraw = (): Problem => (draws === 1 ? problem : problemOf());
    const signs = probe(sameDraw, clean.logits, right, attacks.some(({ access }) => access === 'gradient'));
    job.onProgress(undefined, 1);

    const robust: Record<string, string> = {};
    const lengths: Record<string, number[]> = {};
    const robustRights: Record<string, readonly number[]> = {};
    const mismatches: number[] = [];
    for (const attack of attacks) {
      await job.pause();
      const verdict = attackRows(job, attack, inputs, labels, right);
      const standing = new Set(right.filter((_, i) => verdict.wrong[i] === 0));
      robust[attack.name] = rows.map((row) => (standing.has(row) ? '1' : '0')).join('');
      lengths[attack.name] = verdict.lengths;
      robustRights[attack.name] = draws === 1 ? [] : rows.map((row) => verdict.rights[right.indexOf(row)] ?? 0);
      mismatches.push(...verdict.mismatches);
      job.onProgress(attack, 1);
    }
    const ids = Array.from(batch.ids);
    const rights = { clean: draws === 1 ? [] : clean.rights, robust: robustRights };
    return { ids, clean: rows.map((row) => 1 - clean.wrong[row]!).join(''), robust, rights, lengths, signs: { ...signs, mismatches, changedWeights: [] } };
  } finally {
    inputs.dispose();
    labels.dispose();
  }
}

/** Looks for what would make any number about this model doubtful; one more pass over the batch, one over half of it. */
function probe(problemOf: () => Problem, logits: Float32Array, right: readonly number[], withGradient: boolean): Omit<Evidence, 'mismatches' | 'changedWeights'> {
  const { rows, inputs, size, context } = problemOf();
  const classes = logits.length / rows;
  const all = Array.from({ length: rows }, (_, row) => row);
  const again = measure(problemOf(), ceRow, inputs, all, withGradient);
  const company = all.toReversed().slice(0, Math.ceil(rows / 2));
  const apart = measure(problemOf(), ceRow, inputs, company, false);
  const { gradient } = again;
  const flat = gradient === undefined ? [] : right.filter((row) => rowOf(gradient, row, size).every((value) => value === 0));
  return {
    zeroGradients: flat.map((row) => context.exampleIds?.[row] ?? row),
    probabilities: all.every((row) => isDistribution(rowOf(logits, row, classes))),
    logProbabilities: all.every((row) => isLogDistribution(rowOf(logits, row, classes))),
    outputBits: significantBits(logits),
    repeatDifference: Math.max(...all.map((row) => relativeDifference(rowOf(again.logits, row, classes), rowOf(logits, row, classes)))),
    batchDifference: Math.max(...company.map((row, i) => relativeDifference(rowOf(apart.logits, i, classes), rowOf(logits, row, classes)))),
  };
}

const relativeDifference = (a: Float32Array, b: Float32Array): number => DISTANCES.L2(a, b) / Math.max(1e-6, Math.hypot(...b));

/** Verdicts of the model on some points, by the majority of its draws. */
interface Judged {
  /** 1 where more than half of the draws are wrong, in the order of the rows. */
  readonly wrong: Uint8Array;
  /** Draws in which each is right. */
  readonly rights: number[];
  /** Of the first draw, row-major `[N,M]`. */
  readonly logits: Float32Array;
}

function judgeDraws(problem: Problem, points: Float32Array, rows: readonly number[], draws: number): Judged {
  const rights = new Array<number>(rows.length).fill(0);
  let first: Float32Array | undefined;
  for (let draw = 0; draw < draws; draw++) {
    const { wrong, logits } = measure(problem, ceRow, points, rows, false);
    first ??= logits;
    wrong.forEach((value, i) => (rights[i]! += 1 - value));
  }
  return { wrong: Uint8Array.from(rights, (count) => Number(2 * count < draws)), rights, logits: first! };
}

interface Verdict extends Omit<Judged, 'logits'> {
  readonly lengths: number[];
  /** Ids of rows where the attack claimed otherwise. */
  readonly mismatches: readonly number[];
}

/** Attacks the given rows and judges the result with fresh passes, trusting nothing that the attack said. */
function attackRows(job: BatchJob, attack: Attack, inputs: Tensor, labels: Tensor1D, rows: readonly number[]): Verdict {
  if (rows.length === 0) return { wrong: new Uint8Array(0), rights: [], lengths: [], mismatches: [] };
  const { model, batch, bounds, rng, draws, signal, onProgress } = job;
  return tidy(() => {
    const index = tensor1d(Int32Array.from(rows), 'int32');
    const clean = gather(inputs, index);
    const truth = gather(labels, index);
    const exampleIds = rows.map((row) => batch.ids[row]!);
    let furthest = 0; // the parts of a sequence count their steps each from 0
    const { adversarial, success } = attack.perturb(model, clean, truth, {
      rng,
      exampleIds,
      onStep: ({ step, steps }) => onProgress(attack, (furthest = Math.max(furthest, Math.min(0.99, (step + 1) / steps)))),
      ...(signal === undefined ? {} : { signal }),
    });
    const problem = createProblem('evaluate', model, clean, truth, { rng, exampleIds }, bounds);
    const points = adversarial.dataSync() as Float32Array;
    const lengths = checkedLengths(attack, problem, points, bounds);
    const { wrong, rights } = judgeDraws(problem, points, rows.map((_, i) => i), draws);
    const claimed = success.dataSync();
    // A targeted attack claims less: a row may be wrong without being taken for its target.
    const { target = 'none' } = attack.options as { target?: Target };
    return { wrong, rights, lengths, mismatches: exampleIds.filter((_, i) => (target !== 'none' ? claimed[i]! > wrong[i]! : claimed[i] !== wrong[i])) };
  });
}

/** Lengths of the perturbations in the attack's norm, having checked that each lies in ball and bounds. */
function checkedLengths(attack: Attack, problem: Problem, points: Float32Array, bounds: Bounds): number[] {
  expectWithinBounds('evaluate', `what attack '${attack.name}' returned`, points, bounds);
  const { norm, eps } = attack.options as { norm?: MinimumNorm; eps?: PerExample };
  if (norm === undefined || !(norm in DISTANCES)) return [];
  const { inputs, size, rows } = problem;
  const lengths = Array.from({ length: rows }, (_, row) => DISTANCES[norm](rowOf(points, row, size), rowOf(inputs, row, size)));
  const radii = eps === undefined ? undefined : rowsOf(problem, 'eps', eps);
  lengths.forEach((length, row) => {
    const radius = radii?.[row] ?? Infinity;
    if (length <= radius * (1 + 1e-6) + 1e-7) return;
    throw new NumericsError(`evaluate: attack '${attack.name}' must stay within eps = ${radius} (${norm}), got a perturbation of ${length}. The attack is faulty; its numbers mean nothing.`);
  });
  return lengths;
}
