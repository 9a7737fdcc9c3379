// Shapes: D numbers of one example, E experts, K chosen.
import { type Bounds, expectArgument, expectInteger, expectKnownKeys, topKIndices } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { projectHyperplane } from '../geometry/hyperplane.js';

/** Scores `r_e = Σ_i kernel[i·E + e] x_i + bias[e]`. */
export interface AffineRouter {
  /** Row-major `[D,E]`, as tfjs keeps the kernel of a dense layer. */
  readonly kernel: Float32Array;
  /** `[E]`. */
  readonly bias: Float32Array;
  /** Experts that are chosen, K. @defaultValue 1 */
  readonly topK?: number;
}

/**
 * How far an input is from where an affine router chooses another set of experts: the closed form.
 *
 * @remarks
 * The least over a chosen expert i and another one j of the distance, within bounds, to the hyperplane `r_i = r_j`; without bounds `(r_i - r_j) / ‖w_i - w_j‖_q` with the dual norm q. No attack
 * on routing does better, so it tells how good {@link flipRoutes} is.
 *
 * @param point - one example, flat, within bounds.
 * @returns Distance in the norm; infinite if no input within bounds is routed otherwise.
 * @throws {@link ArgumentError} if lengths disagree, or K is not less than E.
 *
 * @example
 * // r = (x, 1 - x): equal at x = 0.5.
 * flipDistance({ kernel: new Float32Array([1, -1]), bias: new Float32Array([0, 1]) }, new Float32Array([0.8]), 'Linf', [0, 1]); // 0.3
 */
export function flipDistance(router: AffineRouter, point: Float32Array, norm: AttackNorm, bounds: Bounds): number {
  expectKnownKeys('flipDistance', router, ['kernel', 'bias', 'topK']);
  const { kernel, bias, topK = 1 } = router;
  const numExperts = bias.length;
  expectArgument('flipDistance', 'kernel', kernel.length === point.length * numExperts, `have ${point.length} × ${numExperts} entries`, kernel.length);
  expectInteger('flipDistance', 'topK', topK, 1, numExperts - 1);
  // In float64: the difference of scores is what counts.
  const scores = Array.from(bias, (offset, expert) => point.reduce((total, value, i) => total + value * kernel[i * numExperts + expert]!, offset));
  const order = topKIndices(scores, numExperts, numExperts);
  const origin = new Float32Array(point.length);
  const normal = new Float32Array(point.length);
  let nearest = Infinity;
  for (const from of order.subarray(0, topK)) {
    for (const to of order.subarray(topK)) {
      const gap = scores[from]! - scores[to]!;
      for (let i = 0; i < point.length; i++) normal[i] = kernel[i * numExperts + to]! - kernel[i * numExperts + from]!;
      const change = projectHyperplane(norm, point, normal, gap, bounds);
      const closed = change.reduce((total, move, i) => total + move * normal[i]!, 0);
      // The corner of the bounds that comes nearest may still be on this side.
      if (closed < gap * (1 - 1e-5)) continue;
      nearest = Math.min(nearest, GEOMETRIES[norm].distance(change, origin));
    }
  }
  return nearest;
}
