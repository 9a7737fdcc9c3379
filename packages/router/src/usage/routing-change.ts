// Shapes: T tokens, E experts. Everything here is on the host.
import { expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';

export interface RoutingChangeOptions {
  /** E. */
  readonly numExperts: number;
  /** Tokens of one example; the overlap is averaged over the tokens of an example, then over examples. @defaultValue 1 */
  readonly rowsPerExample?: number;
  /** Overlap of a token that has no expert in either pass; V-MoE's code counts it as changed, 0. @defaultValue 'skip' */
  readonly emptyUnion?: 0 | 1 | 'skip';
}

/** How much routing differs between two passes over the same tokens. */
export interface RoutingChange {
  /** Mean overlap |A∩B| / |A∪B| of the chosen sets, in [0, 1]. */
  readonly iou: number;
  /** `1 - iou`. */
  readonly change: number;
  /** Share of tokens whose expert of largest weight differs. */
  readonly firstChoiceFlips: number;
  /** Share of tokens whose set of experts differs. */
  readonly setFlips: number;
}

/**
 * Compares the experts that the same tokens chose in two passes, such as on clean and on attacked inputs.
 *
 * @param before  - combine weights `[T,E]` row-major; an expert is chosen where its weight is above 0.
 * @param after   - those of the second pass.
 * @param options - see {@link RoutingChangeOptions}.
 * @throws {@link ArgumentError} if lengths disagree.
 * @see {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022}, Sec. 4, and its code.
 *
 * @example
 * routingChange([0.6, 0.4, 0], [0, 0.7, 0.3], { numExperts: 3 }).iou; // 1/3
 */
export function routingChange(before: ArrayLike<number>, after: ArrayLike<number>, options: RoutingChangeOptions): RoutingChange {
  expectKnownKeys('routingChange', options, ['numExperts', 'rowsPerExample', 'emptyUnion']);
  const { numExperts, rowsPerExample = 1, emptyUnion = 'skip' } = options;
  expectInteger('routingChange', 'numExperts', numExperts, 1);
  expectInteger('routingChange', 'rowsPerExample', rowsPerExample, 1);
  expectOneOf('routingChange', 'emptyUnion', emptyUnion, [0, 1, 'skip']);
  const examples = before.length / numExperts / rowsPerExample;
  expectArgument('routingChange', 'before', Number.isInteger(examples) && examples >= 1, `have examples of ${rowsPerExample} rows of ${numExperts} entries, at least one`, `${before.length} entries`);
  expectArgument('routingChange', 'after', after.length === before.length, `have the ${before.length} entries of before`, after.length);

  const means: number[] = [];
  let [firstFlips, setFlips] = [0, 0];
  for (let example = 0; example < examples; example++) {
    const overlaps: number[] = [];
    for (let row = example * rowsPerExample; row < (example + 1) * rowsPerExample; row++) {
      const { both, either, sameFirst } = compareToken(before, after, row * numExperts, numExperts);
      if (!sameFirst) firstFlips++;
      if (both !== either) setFlips++;
      if (either > 0) overlaps.push(both / either);
      else if (emptyUnion !== 'skip') overlaps.push(emptyUnion);
    }
    if (overlaps.length > 0) means.push(average(overlaps));
  }
  const iou = means.length === 0 ? 1 : average(means);
  const tokens = examples * rowsPerExample;
  return { iou, change: 1 - iou, firstChoiceFlips: firstFlips / tokens, setFlips: setFlips / tokens };
}

function compareToken(before: ArrayLike<number>, after: ArrayLike<number>, at: number, numExperts: number): { both: number; either: number; sameFirst: boolean } {
  let [both, either, firstBefore, firstAfter] = [0, 0, 0, 0];
  for (let expert = 0; expert < numExperts; expert++) {
    const [a, b] = [before[at + expert]!, after[at + expert]!];
    both += Number(a > 0 && b > 0);
    either += Number(a > 0 || b > 0);
    if (a > before[at + firstBefore]!) firstBefore = expert;
    if (b > after[at + firstAfter]!) firstAfter = expert;
  }
  return { both, either, sameFirst: firstBefore === firstAfter };
}

const average = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;

/**
 * Expected overlap of two independent random choices of K out of E experts: what `routingChange().iou` is when routing is lost altogether.
 *
 * @remarks
 * `Σ_m P(|A∩B| = m) · m / (2K - m)`, hypergeometric. `(1 - iou) / (1 - expectedIou)` is a change of which 1 means random.
 *
 * @throws {@link ArgumentError} if K > E.
 *
 * @example
 * expectedIou(1, 4); // 0.25
 */
export function expectedIou(topK: number, numExperts: number): number {
  expectInteger('expectedIou', 'numExperts', numExperts, 1);
  expectInteger('expectedIou', 'topK', topK, 1, numExperts);
  let expected = 0;
  for (let m = Math.max(0, 2 * topK - numExperts); m <= topK; m++) {
    expected += ((choose(topK, m) * choose(numExperts - topK, topK - m)) / choose(numExperts, topK)) * (m / (2 * topK - m));
  }
  return expected;
}

function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 0; i < k; i++) ways *= (n - i) / (i + 1);
  return ways;
}
