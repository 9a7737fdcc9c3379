// Shapes: B batch, D numbers of one example, N points of one call, M classes.
import { type Rng, expectArgument, expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';
import { type Judgement, judge } from '../internal/measure.js';
import { type Task, createTask } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { distancesOf } from '../minimum-norm/minimum-norm-attack.js';
import type { Query, QueryAttack } from './query-attack.js';
import { countQueries } from './run-search.js';

/**
 * A model that can only be asked: no gradient, no tensors.
 *
 * @remarks
 * Gets images row-major and their shape `[N,…]`, and answers with logits row-major `[N,M]`. For attacks whose `access` is `'decision'` it may answer with the N predicted classes instead.
 * The images are its own: it may keep or change them.
 */
export type BlackBoxModel = (images: Float32Array, shape: readonly number[]) => Promise<Float32Array>;

/** What is attacked, and how. */
export interface BlackBoxOptions {
  /** Clean images row-major `[B,…]`, within the attack's bounds. */
  readonly inputs: Float32Array;
  /** Of `inputs`, `[B,…]`. */
  readonly shape: readonly number[];
  /** True classes, `[B]`. */
  readonly labels: Int32Array;
  /** Stream of this run. */
  readonly rng: Rng;
  /** As in `AttackContext`. @defaultValue 0 … B-1 */
  readonly exampleIds?: ArrayLike<number>;
  /** Most images in one call of the model; does not change the result. @defaultValue 64 */
  readonly batchSize?: number;
  /** As in `AttackContext`. */
  readonly onStep?: (progress: { readonly step: number; readonly steps: number; readonly meanLoss: number }) => void;
  /** Checked before each call of the model. */
  readonly signal?: AbortSignal;
}

/** Outcome of {@link attackBlackBox}. */
export interface BlackBoxResult {
  /** Row-major, of the shape of the inputs. Rows that were wrong from the start are unchanged. */
  readonly adversarial: Float32Array;
  /** 1 where the model's prediction on `adversarial` differs from the label, `[B]`. */
  readonly success: Uint8Array;
  /** Loss that the attack maximised, at `adversarial`, `[B]`. */
  readonly loss: Float32Array;
  /** Distance of `adversarial` from the input in the attack's norm, `[B]`; infinite for rows that still stand. */
  readonly distances: Float32Array;
  /** Images of each row that the model was asked about, the clean one included, `[B]`. */
  readonly queries: Int32Array;
}

const KEYS = ['inputs', 'shape', 'labels', 'rng', 'exampleIds', 'batchSize', 'onStep', 'signal'];

/**
 * Attacks a model that is only known by its answers, such as one behind a network interface.
 *
 * @remarks
 * Gives bit for bit what `attack.perturb` gives on the same model, and never asks about an image twice for padding: rows that are done are not sent. The attack's own options hold the
 * budget of queries. Attacks that need a gradient do not type-check, and are refused at run time.
 *
 * @param attack - score- or decision-based, e.g. `square({ … })` or `hopSkipJump({ … })`.
 * @throws {@link ArgumentError} if the attack needs gradients, an option is wrong, or the model's answer has the wrong length.
 * @throws {@link NumericsError} if an answer is not finite.
 * @throws {@link AbortedError} if the signal fires.
 *
 * @example
 * const model = async (images, shape) => (await post('/predict', images, shape)).logits;
 * const { success, queries } = await attackBlackBox(square({ eps: 8 / 255, queries: 500 }), model, { inputs, shape, labels, rng: createRng(1) });
 */
export async function attackBlackBox(attack: QueryAttack, model: BlackBoxModel, options: BlackBoxOptions): Promise<BlackBoxResult> {
  expectKnownKeys('attackBlackBox', options, KEYS);
  const { inputs, shape, labels, rng, exampleIds, batchSize = 64, onStep, signal } = options;
  expectArgument('attackBlackBox', 'attack', typeof attack.search === 'function', 'need no gradients', attack.name, 'Use a score- or decision-based one, such as square.');
  expectInteger('attackBlackBox', 'batchSize', batchSize, 1);
  const size = shape.reduce((a, b) => a * b, 1);
  expectArgument('attackBlackBox', 'inputs', shape.length >= 2 && inputs.length === size, `have as many entries as shape [${shape.join(', ')}]`, inputs.length);
  expectArgument('attackBlackBox', 'labels', labels.length === shape[0], `have ${shape[0]} entries, one per row`, labels.length);
  const context = { rng, ...(exampleIds && { exampleIds }), ...(onStep && { onStep }), ...(signal && { signal }) };
  const task = createTask(attack.name, inputs, shape, labels, context, attack.options.bounds);

  const queries = new Int32Array(task.rows);
  const search = countQueries(queries, attack.search(task));
  let turn = search.next();
  while (!turn.done) {
    turn = search.next(await ask(task, attack, model, turn.value, batchSize));
  }
  const { points, wrong, loss } = turn.value;
  return { adversarial: points, success: wrong, loss: Float32Array.from(loss), distances: distancesOf(task, attack.options.norm, turn.value), queries };
}

/** Asks about all points of a query, a batch at a time. */
async function ask(task: Task, { access }: QueryAttack, model: BlackBoxModel, { points, rows }: Query, batchSize: number): Promise<Judgement> {
  const [loss, wrong] = [new Float64Array(rows.length), new Uint8Array(rows.length)];
  for (let from = 0; from < rows.length; from += batchSize) {
    throwIfAborted(task.caller, task.context.signal);
    const part = rows.slice(from, from + batchSize);
    const answer = await model(points.slice(from * task.size, (from + part.length) * task.size), [part.length, ...task.shape]);
    const judged = access === 'decision' && answer.length === part.length ? judgeClasses(task, answer, part) : judgeScores(task, answer, part);
    loss.set(judged.loss, from);
    wrong.set(judged.wrong, from);
  }
  return { loss, wrong };
}

function judgeScores(task: Task, logits: Float32Array, rows: readonly number[]): Judgement {
  const classes = logits.length / rows.length;
  expectArgument(task.caller, "the model's answer", Number.isInteger(classes) && classes >= 2, `have [${rows.length}, M] entries, M ≥ 2`, logits.length);
  return judge(task, cwRow, logits, rows, new Float32Array(logits.length));
}

function judgeClasses({ labels }: Task, classes: Float32Array, rows: readonly number[]): Judgement {
  const wrong = Uint8Array.from(rows, (row, i) => Number(classes[i] !== labels[row]));
  return { loss: Float64Array.from(wrong), wrong };
}
