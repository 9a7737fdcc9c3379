// Shapes: B batch, R tokens of an example, E experts.
import { type Attack, type Bounds, type Dataset, type LogitsFn, type MoeLayerInfo, createRng, expectInteger, expectKnownKeys, expectNumber, throwIfAborted, wilsonInterval } from '@moe/core';
import { dispose, tensor, tensor1d } from '@tensorflow/tfjs-core';
import { apgd } from '../apgd.js';
import { autoAttack } from '../auto-attack.js';
import { evaluate } from '../evaluate/evaluate.js';
import type { RobustResult } from '../evaluate/evaluation.js';
import type { AttackNorm } from '../geometry/geometry.js';
import { type Problem, createProblem, rowOf } from '../internal/problem.js';
import { choosing, moeOf } from './moe-of.js';
import { overlapOf } from './overlap.js';
import { isReachable, reachOf } from './reach.js';
import { routingAttacks } from './routing-attacks.js';
import type { LayerRoutingEvaluation, RoutingEvaluation } from './routing-evaluation.js';
import { readRouting } from './scores.js';

export interface EvaluateRoutingOptions {
  /** Brings `moe`, such as `logitsFn(moeModel(network))`. */
  readonly model: LogitsFn;
  /** Labelled inputs. */
  readonly data: Dataset;
  /** Radius of the ball, in input units. */
  readonly eps: number;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Root of all randomness. */
  readonly seed: number;
  /** The attack that knows no routing. @defaultValue autoAttack({ eps, norm, bounds }) */
  readonly standard?: Attack;
  /** The attack that does. @defaultValue routingAttacks({ eps, norm, bounds }) */
  readonly adaptive?: Attack;
  /** Runs against each expert by itself, and shows how routes change under attack. @defaultValue apgd({ eps, norm, bounds }) */
  readonly expertAttack?: Attack;
  /** Examples run together; does not change the result where a row's arithmetic does not depend on its batch. @defaultValue 64 */
  readonly batchSize?: number;
  /** As in {@link EvaluateOptions}, for gates that are noisy in evaluation. @defaultValue 1 */
  readonly draws?: number;
  /** How many examples to take, from the first. @defaultValue all */
  readonly limit?: number;
  /** Checked between batches and steps. */
  readonly signal?: AbortSignal;
}

/** What was seen of a layer, by example. */
interface Seen {
  readonly chosen: number[][];
  readonly reachable: number[][];
  readonly distances: number[];
  readonly flipped: number[];
  readonly overlaps: number[];
}

const KEYS = ['model', 'data', 'eps', 'norm', 'seed', 'standard', 'adaptive', 'expertAttack', 'batchSize', 'draws', 'limit', 'signal'];
const ROUTE_STEPS = 20;

/**
 * How robust an MoE model is, and how much of that is its routing hiding gradients: robust accuracy under a standard and an adaptive attack, the stability of routes, and every expert by itself.
 *
 * @remarks
 * The gap between the two attacks is the number to report: it is what AutoAttack overlooked. Routes and reach are found by {@link flipRoutes}' search, exact for routers that are affine in the input and
 * an upper bound of the distance elsewhere. Layers that weight all experts have no routes and are left out.
 *
 * @returns Plain JSON; no tensor stays alive, also when it throws.
 * @throws {@link ArgumentError} if the model brings no MoE model, or an option is unknown or wrong; and as {@link evaluate}.
 * @see RA, RA-R, RA-E: {@link https://arxiv.org/abs/2506.20310 | RT-ER}; overlap of experts: {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022}.
 *
 * @example
 * const { worstCase, maskingGap, layers } = await evaluateRouting({ model: logitsFn(model), data, eps: 8 / 255, seed: 1, limit: 200 });
 */
export async function evaluateRouting(options: EvaluateRoutingOptions): Promise<RoutingEvaluation> {
  expectKnownKeys('evaluateRouting', options, KEYS);
  const { model, data, eps, norm = 'Linf', seed, batchSize = 64, draws = 1, limit = data.length, signal } = options;
  expectNumber('evaluateRouting', 'eps', eps, 0);
  expectInteger('evaluateRouting', 'batchSize', batchSize, 1);
  expectInteger('evaluateRouting', 'limit', limit, 1);
  const ball = { eps, norm, bounds: data.bounds };
  const { standard = autoAttack(ball), adaptive = routingAttacks(ball), expertAttack = apgd(ball) } = options;
  const moe = moeOf('evaluateRouting', model);
  const shared = { data, seed, batchSize, draws, limit, ...(signal !== undefined && { signal }) };
  const both = await evaluate({ ...shared, model, attacks: [standard, adaptive] });

  const layers: LayerRoutingEvaluation[] = [];
  for (const layer of choosing(moe)) {
    const alone: RobustResult[] = [];
    for (let expert = 0; expert < layer.numExperts; expert++) {
      const forced: LogitsFn = (inputs, draw) => moe.forward(inputs, { ...(draw && { rng: draw.rng }), experts: { [layer.name]: expert } }).logits;
      alone.push((await evaluate({ ...shared, model: forced, attacks: [expertAttack] })).worstCase);
    }
    layers.push(summarise(layer, await look(options, layer, both.examples, { ...ball, expertAttack, batchSize }), alone, eps));
  }
  const [first, second] = both.attacks as unknown as [RobustResult, RobustResult];
  const result = ({ robust, robustAccuracy, interval }: RobustResult): RobustResult => ({ robust, robustAccuracy, interval });
  return {
    schema: 'moe.routing-evaluation/1',
    eps,
    norm,
    seed,
    examples: both.examples,
    clean: both.clean,
    worstCase: both.worstCase,
    standard: result(first),
    adaptive: result(second),
    maskingGap: first.robustAccuracy - both.worstCase.robustAccuracy,
    layers,
  };
}

interface Look {
  readonly eps: number;
  readonly norm: AttackNorm;
  readonly bounds: Bounds;
  readonly expertAttack: Attack;
  readonly batchSize: number;
}

/** Looks at the routes of every example, as it is and attacked. */
async function look({ model, data, seed, signal }: EvaluateRoutingOptions, layer: MoeLayerInfo, examples: number, { eps, norm, bounds, expertAttack, batchSize }: Look): Promise<Seen> {
  const moe = moeOf('evaluateRouting', model);
  const seen: Seen = { chosen: [], reachable: [], distances: [], flipped: [], overlaps: [] };
  for (let from = 0; from < examples; from += batchSize) {
    throwIfAborted('evaluateRouting', signal);
    const batch = await data.read(Array.from({ length: Math.min(batchSize, examples - from) }, (_, i) => from + i));
    const [inputs, labels] = [tensor(batch.inputs.slice(), [...batch.shape]), tensor1d(batch.labels, 'int32')];
    try {
      const context = { rng: createRng(seed), exampleIds: batch.ids, ...(signal !== undefined && { signal }) };
      const problem = createProblem('evaluateRouting', model, inputs, labels, context, bounds);
      const reaches = reachOf(problem, moe, layer, { norm, bounds, steps: ROUTE_STEPS });
      const perturbation = expertAttack.perturb(model, inputs, labels, context);
      const points = perturbation.adversarial.dataSync() as Float32Array;
      dispose([perturbation.adversarial, perturbation.success, perturbation.loss]);
      const [before, after] = [problem.inputs, points].map((at) => readRouting(problem, moe, layer, 'combineWeights', at)) as [Float32Array, Float32Array];
      noteRows(problem, layer, before, after, seen);
      for (let row = 0; row < problem.rows; row++) {
        seen.chosen.push(reaches.map(({ chosen }) => chosen[row]!));
        seen.reachable.push(reaches.map((reach) => Number(isReachable(reach, row, eps))));
        seen.distances.push(Math.min(...reaches.map(({ distances }) => distances[row]!)));
      }
    } finally {
      dispose([inputs, labels]);
    }
  }
  return seen;
}

function noteRows({ rows }: Problem, { numExperts }: MoeLayerInfo, before: Float32Array, after: Float32Array, seen: Seen): void {
  const width = before.length / rows;
  for (let row = 0; row < rows; row++) {
    const { overlap, same } = overlapOf(rowOf(before, row, width), rowOf(after, row, width), numExperts);
    seen.flipped.push(Number(!same));
    if (overlap !== undefined) seen.overlaps.push(overlap);
  }
}

const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / Math.max(1, values.length);

function summarise({ name, numExperts }: MoeLayerInfo, { chosen, reachable, distances, flipped, overlaps }: Seen, alone: readonly RobustResult[], eps: number): LayerRoutingEvaluation {
  const examples = distances.length;
  const stable = distances.filter((distance) => distance > eps).length;
  const median = distances.toSorted((a, b) => a - b)[Math.floor(examples / 2)]!;
  return {
    layer: name,
    stable: { examples: stable, share: stable / examples, interval: wilsonInterval(stable, examples) },
    medianFlipDistance: median === Infinity ? null : median,
    flipRate: mean(flipped),
    expertIou: overlaps.length === 0 ? 1 : mean(overlaps),
    experts: Array.from({ length: numExperts }, (_, expert) => ({ chosen: mean(chosen.map((row) => row[expert]!)), reachable: mean(reachable.map((row) => row[expert]!)), alone: alone[expert]! })),
  };
}
