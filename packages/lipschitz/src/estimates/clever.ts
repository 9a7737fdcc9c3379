import { type Tensor, grad, mul, reshape, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import type { Bound, LogitsFn, OperatorNorm } from '@moe/core';
import { NumericsError, createRng, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { NORMS } from '../internal/bounds.js';
import { weibullEnd } from './weibull.js';

export interface CleverOptions {
  /** Class of the input, whose logit is compared with another. */
  readonly label: number;
  /** The other class. */
  readonly target: number;
  /** Radius of the ball that is sampled; the score is at most that. */
  readonly radius: number;
  /** @defaultValue 'L2' */
  readonly norm?: OperatorNorm;
  readonly seed: number;
  /** Groups of samples, each of which gives its largest gradient. @defaultValue 50 */
  readonly batches?: number;
  /** Samples a group. @defaultValue 128 */
  readonly batchSize?: number;
}

/** What {@link clever} found. */
export interface Clever {
  /** Of the slope of `logit label − logit target` in the ball. */
  readonly bound: Bound<'estimate'>;
  /** Margin over slope, at most the radius: a guess of the distance to the other class, no certificate. */
  readonly score: number;
}

const DUAL: Readonly<Record<OperatorNorm, OperatorNorm>> = { L2: 'L2', Linf: 'L1', L1: 'Linf' };

function lengthOf(row: Float32Array, norm: OperatorNorm): number {
  if (norm === 'L2') return Math.sqrt(row.reduce((total, value) => total + value * value, 0));
  return norm === 'L1' ? row.reduce((total, value) => total + Math.abs(value), 0) : row.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
}

/**
 * CLEVER: an estimate of how steep a margin gets in a ball, and of the distance to another class, by the extremes of sampled gradients.
 *
 * @remarks
 * The largest gradient of each group of samples follows a reverse Weibull distribution, whose upper end is fitted by maximum likelihood. An estimate, and typed so: it cannot enter a
 * certificate, and over-reports where gradients are masked. Paper: 500 groups of 1,024 in a ball of radius 5.
 *
 * @param model   - logits function.
 * @param input   - one example `[1, …]`.
 * @param options - see {@link CleverOptions}.
 * @throws {@link NumericsError} if a gradient is not finite.
 * @see {@link https://arxiv.org/abs/1801.10578 | Weng et al. 2018}, Alg. 1.
 *
 * @example
 * const { score } = clever(model, image, { label: 3, target: 5, radius: 2, seed: 1 });
 */
export function clever(model: LogitsFn, input: Tensor, options: CleverOptions): Clever {
  expectKnownKeys('clever', options, ['label', 'target', 'radius', 'norm', 'seed', 'batches', 'batchSize']);
  const { label, target, radius, norm = 'L2', seed, batches = 50, batchSize = 128 } = options;
  expectNumber('clever', 'radius', radius, Number.MIN_VALUE);
  expectOneOf('clever', 'norm', norm, NORMS);
  expectInteger('clever', 'batches', batches, 2);
  expectInteger('clever', 'batchSize', batchSize, 1);
  expectArgument('clever', 'input', input.shape[0] === 1, 'be one example [1, …]', `[${input.shape.join(',')}]`);
  const center = input.dataSync();
  const size = center.length;
  const margin = (x: Tensor): Tensor => {
    const logits = model(x);
    const classes = logits.shape[1]!;
    expectArgument('clever', 'label and target', label !== target && [label, target].every((c) => Number.isInteger(c) && c >= 0 && c < classes), `be two of ${classes} classes`, [label, target]);
    return sum(mul(logits, Array.from({ length: classes }, (_, c) => (c === label ? 1 : c === target ? -1 : 0))), 1);
  };
  const clean = tidy(() => margin(input).dataSync()[0]!);
  const rng = createRng(seed).stream('clever');
  const maxima = Float64Array.from({ length: batches }, (_, batch) => {
    const values = new Float32Array(batchSize * size);
    for (let k = 0; k < batchSize; k++) {
      const draw = rng.at(batch, k);
      const step = norm === 'Linf' ? draw.uniform(size, -1, 1) : draw.normal(size);
      const scale = norm === 'Linf' ? radius : (radius * draw.uniform(1)[0]! ** (1 / size)) / lengthOf(step, norm);
      for (let i = 0; i < size; i++) values[k * size + i] = center[i]! + step[i]! * scale;
    }
    const gradients = tidy(() => reshape(grad((x: Tensor) => sum(margin(x)))(tensor(values, [batchSize, ...input.shape.slice(1)])), [batchSize, size]).dataSync() as Float32Array);
    let largest = 0;
    for (let k = 0; k < batchSize; k++) largest = Math.max(largest, lengthOf(gradients.subarray(k * size, (k + 1) * size), DUAL[norm]));
    if (!Number.isFinite(largest)) throw new NumericsError('clever: gradients must be finite, got NaN or ∞.');
    return largest;
  });
  const value = weibullEnd(maxima);
  const score = clean <= 0 ? 0 : Math.min(radius, clean / value);
  return { bound: { value, status: 'estimate', norm, domain: { norm, radius }, method: `clever(${batches} × ${batchSize})` }, score };
}
