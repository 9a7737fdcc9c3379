import { NumericsError } from '@moe/core';
import { cholesky, rowProduct, solveRows, solveRowsBack, symmetricEigen, transposed } from '../internal/real-matrix.js';

/** Matrices `W₁ … W_l` of a network `W_l φ(… φ(W₁ x))`, row-major `[outputs, inputs]`; φ has slopes in [0, 1]. */
export interface Chain {
  /** Inputs, then the outputs of every matrix. */
  readonly widths: readonly number[];
  readonly matrices: readonly Float64Array[];
}

/** Value and gradient at one choice of multipliers. */
export interface Evaluated {
  /** `log tr(M^p)^(1/p)` of the last matrix M; log L² from above as p grows. */
  readonly objective: number;
  /** L² itself: the largest eigenvalue of M. */
  readonly squared: number;
  /** By the logarithms of the multipliers, layer after layer. */
  gradient(): Float64Array;
}

/** `W₁ W₁ᵀ`, all that the bound needs of the first matrix. */
export const firstGram = ({ widths, matrices }: Chain): Float64Array => rowProduct(matrices[0]!, matrices[0]!, widths[1]!, widths[1]!, widths[0]!, true);

interface Step {
  readonly lambda: Float64Array;
  readonly m: Float64Array;
  readonly factor: Float64Array;
  /** `W X⁻¹ᐟ²` of the next matrix, and then `W X⁻¹`, rows for its outputs. */
  readonly half: Float64Array;
}

/** Runs as many layers as there are multipliers for; undefined where an X is not positive definite. */
function run({ widths, matrices }: Chain, gram: Float64Array, logs: Float64Array): { steps: Step[]; m: Float64Array } | undefined {
  const steps: Step[] = [];
  let m = gram;
  for (let i = 0, at = 0; at < logs.length; i++) {
    const n = widths[i + 1]!;
    const next = widths[i + 2]!;
    const lambda = logs.slice(at, at + n).map((log) => Math.exp(log));
    at += n;
    const x = new Float64Array(n * n);
    for (let r = 0; r < n; r++) {
      for (let c = 0; c <= r; c++) x[r * n + c] = -lambda[r]! * m[r * n + c]! * lambda[c]!;
      x[r * n + r] = x[r * n + r]! + 2 * lambda[r]!;
    }
    if (!cholesky(x, n)) return undefined;
    const half = solveRows(x, matrices[i + 1]!, next, n);
    steps.push({ lambda, m, factor: x, half });
    m = rowProduct(half, half, next, next, n, true);
  }
  return { steps, m };
}

/** The matrix behind the layers that have multipliers, which must be feasible. */
export function lastMatrix(chain: Chain, gram: Float64Array, logs: Float64Array): Float64Array {
  const done = run(chain, gram, logs);
  if (done === undefined) throw new NumericsError('lipSdp: weights must be of sizes that float64 can take together, got some too small or large. Use productBound.');
  return done.m;
}

/**
 * The recursion `M_i = W_i X_{i-1}⁻¹ W_iᵀ`, `X_i = 2Λ_i − Λ_i M_i Λ_i`, from `X_0 = I`; L² is the largest eigenvalue of `M_l`.
 *
 * @remarks
 * It is the Schur complement of LipSDP-Neuron's matrix inequality, so any multipliers for which all X are positive definite give a bound. The
 * gradient runs back through it.
 *
 * @returns undefined where an X is not positive definite.
 */
export function recurse(chain: Chain, gram: Float64Array, logs: Float64Array, power: number): Evaluated | undefined {
  const done = run(chain, gram, logs);
  if (done === undefined) return undefined;
  const { widths, matrices } = chain;
  const { steps, m } = done;
  const hidden = matrices.length - 1;
  const outputs = widths[hidden + 1]!;
  const { values, vectors } = symmetricEigen(m, outputs);
  const squared = values.reduce((best, value) => Math.max(best, value), 0);
  if (squared === 0 || !Number.isFinite(squared)) return squared === 0 ? { objective: -Infinity, squared, gradient: () => logs.map(() => 0) } : undefined;
  const weights = values.map((value) => (Math.max(0, value) / squared) ** power);
  const total = weights.reduce((sum, weight) => sum + weight, 0);

  const gradient = (): Float64Array => {
    const result = new Float64Array(logs.length);
    // d objective / d M_l = Σ p_k/μ_k v_k v_kᵀ.
    const scaled = vectors.map((value, k) => {
      const row = Math.floor(k / outputs);
      return value * Math.sqrt(values[row]! > 0 ? weights[row]! / total / values[row]! : 0);
    });
    const columns = transposed(scaled, outputs, outputs);
    let gm = rowProduct(columns, columns, outputs, outputs, outputs, true);
    let at = logs.length;
    for (let i = hidden - 1; i >= 0; i--) {
      const n = widths[i + 1]!;
      const next = widths[i + 2]!;
      const { lambda, m: inner, factor, half } = steps[i]!;
      // dM = −Yᵀ dX Y with Y = X⁻¹ Wᵀ, so G = −Y G_M Yᵀ.
      const y = transposed(solveRowsBack(factor, half, next, n), next, n);
      const g = rowProduct(rowProduct(y, gm, n, next, next), y, n, n, next, true).map((value) => -value);
      at -= n;
      const through = new Float64Array(n * n);
      for (let r = 0; r < n; r++) {
        let sum = 0;
        for (let c = 0; c < n; c++) {
          const entry = g[r * n + c]!;
          sum += entry * inner[r * n + c]! * lambda[c]!;
          through[r * n + c] = -entry * lambda[r]! * lambda[c]!;
        }
        result[at + r] = lambda[r]! * (2 * g[r * n + r]! - 2 * sum);
      }
      gm = through;
    }
    return result;
  };
  return { objective: Math.log(squared) + Math.log(total) / power, squared, gradient };
}
