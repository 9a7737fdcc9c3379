import { ShapeError, expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { denseNorm } from '../internal/dense-norms.js';
import { frobeniusNorm } from '../internal/gram.js';
import { rowProduct } from '../internal/real-matrix.js';
import { UNIT, roundUp } from '../internal/rounding.js';
import { closedForm } from '../network/constant-nodes.js';
import type { ConstantNode } from '../network/nodes.js';

/** Kernels of one head, as tfjs has them: `x ↦ x K`. */
export interface AttentionHead {
  /** `[D, d]`. */
  readonly query: KernelInput;
  /** `[D, d]`. */
  readonly key: KernelInput;
  /** `[D, v]`. */
  readonly value: KernelInput;
}

export interface AttentionOptions {
  readonly name?: string;
  readonly heads: readonly AttentionHead[];
  /** Kernel `[heads · v, D]` behind the heads; left out, their outputs stay side by side. */
  readonly output?: KernelInput;
  /** Number of tokens. */
  readonly tokens: number;
  /** Longest token in L2: behind an RMS or layer norm `max |γ| √D`. The caller vouches for it. */
  readonly radius: number;
}

/** Bound of one head: `√3 ‖V‖ √(‖A‖² R⁴ (4n + 1) + n)`, `A = Q Kᵀ / √d`. */
function headBound({ query, key, value }: AttentionHead, tokens: number, radius: number): number {
  const [q, k, v] = [query, key, value].map((kernel) => readKernel('attention', kernel, ['D', 'd'])) as [ReturnType<typeof readKernel>, ReturnType<typeof readKernel>, ReturnType<typeof readKernel>];
  const [features, inner] = q.shape as [number, number];
  if (k.shape[0] !== features || k.shape[1] !== inner || v.shape[0] !== features) throw new ShapeError(`attention: query, key and value must take one number of features, got [${q.shape.join(',')}], [${k.shape.join(',')}], [${v.shape.join(',')}].`);
  const scores = rowProduct(q.values, k.values, features, features, inner);
  const rounding = 2 * (inner + 2) * UNIT * frobeniusNorm(q.values) * frobeniusNorm(k.values);
  const a = roundUp((denseNorm({ shape: [features, features], values: scores }, 'L2').value + rounding) / Math.sqrt(inner), 4);
  return roundUp(Math.sqrt(3 * (a * a * radius ** 4 * (4 * tokens + 1) + tokens)) * denseNorm(v, 'L2').value, 16);
}

/**
 * Describes dot-product attention over tokens that are not longer than a radius, in L2 over all tokens.
 *
 * @remarks
 * Attention has no Lipschitz constant on all inputs (Kim et al. 2021): scores grow with the square of the tokens. On tokens of length R at most it has,
 * `√3 ‖V‖ √(‖A‖² R⁴ (4n + 1) + n)` a head for n tokens. Put a normalisation before it, and give its reach as `radius`: the description is sound only behind it. Biases of query and key are not
 * covered.
 *
 * @param options - see {@link AttentionOptions}.
 * @throws {@link ShapeError} if kernels do not fit one another.
 * @see {@link https://arxiv.org/abs/2312.14820 | Castin et al. 2024}.
 *
 * @example
 * sequence([rmsNorm({ gamma, epsilon: 1e-6, smallestNorm: 4, features: 64 }), attention({ heads, output, tokens: 16, radius: 8 })]);
 */
export function attention(options: AttentionOptions): ConstantNode {
  expectKnownKeys('attention', options, ['name', 'heads', 'output', 'tokens', 'radius']);
  const { name = 'attention', heads, output, tokens, radius } = options;
  expectArgument('attention', 'heads', heads.length > 0, 'have at least one entry', heads.length);
  expectInteger('attention', 'tokens', tokens, 1);
  expectNumber('attention', 'radius', radius, 0);
  const bounds = heads.map((head) => headBound(head, tokens, radius));
  const together = roundUp(Math.sqrt(bounds.reduce((sum, bound) => sum + bound * bound, 0)), heads.length + 4);
  const after = output === undefined ? 1 : denseNorm(readKernel('attention', output, ['in', 'out']), 'L2').value;
  return closedForm(name, 'upper', { L2: roundUp(together * after, 2) });
}
