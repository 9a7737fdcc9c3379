import type { EpochRecord, RoutingRecord } from '../history.js';
import { loadEntropy } from '../moe/load-entropy.js';

/** Sums over the rows that one layer's gate saw. */
export interface LayerTally {
  rows: number;
  readonly used: number[];
  readonly gate: number[];
  aux: number;
  dropped: number;
}

/** Sums over the examples of an epoch so far; plain JSON, so that a checkpoint within an epoch can hold it. */
export interface Tally {
  examples: number;
  correct: number;
  loss: number;
  learningRate: number;
  /** Over updates: their number, and sum and maximum of the norm of the gradient. */
  updates: number;
  gradientNorms: number;
  gradientNormMax: number;
  readonly terms: Record<string, number>;
  readonly layers: Record<string, LayerTally>;
  /** By layer, the largest share of its router in the norm of the gradient. */
  readonly routers: Record<string, number>;
}

/** What one step adds to a {@link Tally}; plain numbers read from the engine. */
export interface StepFacts {
  readonly examples: number;
  readonly correct: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Of the updates that the step made. */
  readonly gradientNorms: readonly number[];
  readonly terms: Readonly<Record<string, number>>;
  /** By layer, the share of its router in the norm of the gradient. */
  readonly routers: readonly (readonly [layer: string, share: number])[];
  readonly routing: readonly {
    readonly layer: string;
    readonly numExperts: number;
    /** `[T,E]`, row by row. */
    readonly gates: ArrayLike<number>;
    readonly combineWeights: ArrayLike<number>;
    readonly auxLoss: number;
    readonly droppedFraction: number;
  }[];
}

export const emptyTally = (): Tally => ({
  examples: 0,
  correct: 0,
  loss: 0,
  learningRate: 0,
  updates: 0,
  gradientNorms: 0,
  gradientNormMax: 0,
  terms: {},
  layers: {},
  routers: {},
});

/** Adds one step in place. */
export function addStep(tally: Tally, step: StepFacts): void {
  tally.examples += step.examples;
  tally.correct += step.correct;
  tally.loss += step.loss * step.examples;
  tally.learningRate = step.learningRate;
  for (const norm of step.gradientNorms) {
    tally.updates++;
    tally.gradientNorms += norm;
    tally.gradientNormMax = Math.max(tally.gradientNormMax, norm);
  }
  for (const [name, value] of Object.entries(step.terms)) tally.terms[name] = (tally.terms[name] ?? 0) + value * step.examples;
  for (const [layer, share] of step.routers) tally.routers[layer] = Math.max(tally.routers[layer] ?? 0, share);
  for (const { layer, numExperts, gates, combineWeights, auxLoss, droppedFraction } of step.routing) {
    const zeros = (): number[] => Array.from({ length: numExperts }, () => 0);
    const sums = (tally.layers[layer] ??= { rows: 0, used: zeros(), gate: zeros(), aux: 0, dropped: 0 });
    const rows = gates.length / numExperts;
    for (let i = 0; i < gates.length; i++) {
      sums.gate[i % numExperts]! += gates[i]!;
      if (combineWeights[i]! !== 0) sums.used[i % numExperts]!++;
    }
    sums.rows += rows;
    sums.aux += auxLoss * rows;
    sums.dropped += droppedFraction * rows;
  }
}

/** Means of a finished epoch. */
export function closeEpoch(epoch: number, tally: Tally): Omit<EpochRecord, 'findings' | 'observed'> {
  const { examples, correct, loss, learningRate, updates, gradientNorms, gradientNormMax, terms, layers, routers } = tally;
  return {
    epoch,
    learningRate,
    gradientNorm: { mean: gradientNorms / updates, max: gradientNormMax },
    loss: loss / examples,
    terms: Object.fromEntries(Object.entries(terms).map(([name, total]) => [name, total / examples])),
    accuracy: correct / examples,
    examples,
    routing: Object.entries(layers).map(
      ([layer, { rows, used, gate, aux, dropped }]): RoutingRecord => ({
        layer,
        usage: used.map((count) => count / rows),
        loadEntropy: loadEntropy(used),
        routerGradient: routers[layer] ?? 0,
        meanGate: gate.map((total) => total / rows),
        auxLoss: aux / rows,
        droppedFraction: dropped / rows,
      }),
    ),
  };
}
