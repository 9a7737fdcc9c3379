import { type Draw, type Rng, createRng, throwIfAborted } from '@moe/core';
import { type Tensor, add, reshape, slice, tensor, tidy } from '@tensorflow/tfjs-core';
import { roundDown } from '../../internal/rounding.js';
import { clopperPearsonLower } from './clopper-pearson.js';
import { normalQuantile } from './normal.js';
import type { SmoothingPlan } from './options.js';

/** What one noisy row was answered with: a class, or a key of a route. */
export type Answer = number | string;

/** Answers for rows that are noisy copies of one input; the promise is awaited after the next batch has been sent. */
export type Answers = (rows: Tensor, draw: Draw) => Promise<ArrayLike<Answer>>;

/** Result of {@link sample} for one input. */
export interface Sampled {
  /** Most frequent answer of the first draws. */
  readonly answer: Answer;
  /** How often it came among the second draws. */
  readonly count: number;
  /** Lower limit of its chance. */
  readonly chance: number;
  /** `σ Φ⁻¹(chance)`, rounded inward; 0 unless the chance is above ½. */
  readonly radius: number;
}

/** Lets timers and signals have their turn, which promises alone do not. */
const turn = (): Promise<void> => new Promise((resolve) => void (typeof setImmediate === 'function' ? setImmediate(resolve) : setTimeout(resolve)));

/** One purpose of draws: those that choose, or those that count. */
async function tally(caller: string, plan: SmoothingPlan, answers: Answers, input: Tensor, rng: Rng, count: number): Promise<Map<Answer, number>> {
  const { sigma, batchSize } = plan;
  const { size } = input;
  const votes = new Map<Answer, number>();
  const read = async (pending: Promise<ArrayLike<Answer>>): Promise<void> => {
    for (const answer of Array.from(await pending)) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  };
  const noise = rng.stream('noise');
  const model = rng.stream('model');
  let pending: Promise<ArrayLike<Answer>> | undefined;
  try {
    for (let from = 0; from < count; from += batchSize) {
      throwIfAborted(caller, plan.signal);
      const rows = Math.min(batchSize, count - from);
      const values = new Float32Array(rows * size);
      // One draw a row, in order: the same numbers for any batch size.
      for (let row = 0; row < rows; row++) values.set(noise.normal(size, 0, sigma), row * size);
      const noisy = tidy(() => add(tensor(values, [rows, ...input.shape.slice(1)]), input));
      const last = pending;
      pending = answers(noisy, { rng: model, exampleIds: Int32Array.from({ length: rows }, (_, row) => from + row) }).finally(() => noisy.dispose());
      // It may fail before anyone waits for it.
      pending.catch(() => undefined);
      // While an engine works on this batch, the one before is counted, and others have their turn.
      if (last !== undefined) await read(last);
      await turn();
    }
    if (pending !== undefined) await read(pending);
  } finally {
    // When something throws, a batch may still be under way, with tensors of its own.
    await pending?.catch(() => undefined);
  }
  return votes;
}

/** The first of the most frequent answers, in an order that does not depend on how they came. */
function mostFrequent(votes: ReadonlyMap<Answer, number>): Answer {
  return [...votes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))[0]![0];
}

/** Samples and certifies every input in turn. */
export async function sample(caller: string, stream: string, plan: SmoothingPlan, inputs: Tensor, answers: Answers): Promise<Sampled[]> {
  const root = createRng(plan.seed).stream(stream);
  const results: Sampled[] = [];
  for (let i = 0; i < inputs.shape[0]!; i++) {
    const input = tidy(() => reshape(slice(inputs, [i], [1]), [1, ...inputs.shape.slice(1)]));
    try {
      const rng = root.at(plan.exampleIds[i]!);
      const answer = mostFrequent(await tally(caller, plan, answers, input, rng.stream('selection'), plan.selectionDraws));
      const count = (await tally(caller, plan, answers, input, rng.stream('count'), plan.draws)).get(answer) ?? 0;
      const chance = clopperPearsonLower(count, plan.draws, plan.alpha);
      // A relative 1e-12 is far above the error of the quantile.
      results.push({ answer, count, chance, radius: chance > 0.5 ? roundDown(plan.sigma * normalQuantile(chance) * (1 - 1e-12), 2) : 0 });
    } finally {
      input.dispose();
    }
  }
  return results;
}
