import { type Draw, type Rng, createRng, throwIfAborted } from '@moe/core';
import { type Tensor, add, dispose, mul, reshape, slice, tensor, tidy, util } from '@tensorflow/tfjs-core';
import { roundDown } from '../../internal/rounding.js';
import { clopperPearsonLower } from './clopper-pearson.js';
import { normalQuantile } from './normal.js';
import type { SmoothingPlan } from './options.js';

/** What one noisy row was answered with: a class, or a key of a route. */
type Answer = number | string;

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

/** One input on its way. */
interface Example {
  /** `[1, …]` */
  readonly input: Tensor;
  /** ±1, `[1, …]`: with them, draws that examples share are draws of its own. */
  readonly signs: Tensor;
  readonly rng: Rng;
}

/**
 * Answers for `count` noisy copies of every example.
 *
 * @remarks
 * A batch of noise is drawn once and serves all examples, each with signs of its own: a Gaussian with its signs changed is the same Gaussian, so an example's draws are independent of each
 * other, while those of two examples are uncorrelated. Drawing it for every example would cost more than a small model.
 */
async function tally(caller: string, plan: SmoothingPlan, answers: Answers, examples: readonly Example[], noise: Rng, purpose: string, count: number): Promise<Map<Answer, number>[]> {
  const { sigma, batchSize } = plan;
  const votes = examples.map(() => new Map<Answer, number>());
  const models = examples.map(({ rng }) => rng.stream(purpose));
  let pending: { readonly answers: Promise<ArrayLike<Answer>>; readonly example: number } | undefined;
  const read = async (batch: NonNullable<typeof pending>): Promise<void> => {
    const counts = votes[batch.example]!;
    for (const answer of Array.from(await batch.answers)) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  };
  try {
    for (let from = 0; from < count; from += batchSize) {
      const rows = Math.min(batchSize, count - from);
      const [, ...shape] = examples[0]!.input.shape;
      const size = util.sizeFromShape(shape);
      const values = new Float32Array(rows * size);
      // One draw a row, in order: the same numbers for any batch size.
      for (let row = 0; row < rows; row++) values.set(noise.normal(size, 0, sigma), row * size);
      const shared = tensor(values, [rows, ...shape]);
      const exampleIds = Int32Array.from({ length: rows }, (_, row) => from + row);
      try {
        for (const [e, { input, signs }] of examples.entries()) {
          throwIfAborted(caller, plan.signal);
          const noisy = tidy(() => add(mul(shared, signs), input));
          const last = pending;
          pending = { answers: answers(noisy, { rng: models[e]!, exampleIds }).finally(() => noisy.dispose()), example: e };
          // It may fail before anyone waits for it.
          pending.answers.catch(() => undefined);
          // While an engine works on this batch, the one before is counted, and others have their turn.
          if (last !== undefined) await read(last);
          await turn();
        }
      } finally {
        shared.dispose();
      }
    }
    if (pending !== undefined) await read(pending);
  } finally {
    // When something throws, a batch may still be under way, with tensors of its own.
    await pending?.answers.catch(() => undefined);
  }
  return votes;
}

/** The first of the most frequent answers, in an order that does not depend on how they came. */
function mostFrequent(votes: ReadonlyMap<Answer, number>): Answer {
  return [...votes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))[0]![0];
}

/** Samples and certifies every input. */
export async function sample(caller: string, stream: string, plan: SmoothingPlan, inputs: Tensor, answers: Answers): Promise<Sampled[]> {
  if (inputs.shape[0] === 0) return [];
  const root = createRng(plan.seed).stream(stream);
  const shape = [1, ...inputs.shape.slice(1)];
  const examples = Array.from({ length: inputs.shape[0]! }, (_, i): Example => {
    const rng = root.stream('example').at(plan.exampleIds[i]!);
    const signs = rng.stream('signs').integers(util.sizeFromShape(shape), 2);
    return { input: tidy(() => reshape(slice(inputs, [i], [1]), shape)), signs: tensor(Float32Array.from(signs, (bit) => 1 - 2 * bit), shape), rng };
  });
  try {
    const run = (purpose: string, count: number): Promise<Map<Answer, number>[]> => tally(caller, plan, answers, examples, root.stream(purpose), purpose, count);
    const chosen = (await run('selection', plan.selectionDraws)).map(mostFrequent);
    const counts = await run('count', plan.draws);
    return chosen.map((answer, i) => {
      const count = counts[i]!.get(answer) ?? 0;
      const chance = clopperPearsonLower(count, plan.draws, plan.alpha);
      // A relative 1e-12 is far above the error of the quantile.
      return { answer, count, chance, radius: chance > 0.5 ? roundDown(plan.sigma * normalQuantile(chance) * (1 - 1e-12), 2) : 0 };
    });
  } finally {
    dispose(examples.flatMap(({ input, signs }) => [input, signs]));
  }
}
