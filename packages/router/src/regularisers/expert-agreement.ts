// Shapes: T tokens, E experts, W numbers per output row.
import { expectShape } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, type Tensor3D, add, div, maximum, mul, scalar, slice, sqrt, square, sub, sum, tidy } from '@tensorflow/tfjs-core';

// Keeps the slope of the square root finite where two experts agree exactly.
const TINY = 1e-12;

/**
 * Mean distance of the outputs of experts that a token uses together: what routing can change when it moves weight from one to the other.
 *
 * @remarks
 * `mean ‖f_i(x_t) - f_j(x_t)‖₂` over all tokens t and pairs i < j that t chose both; 0 when none did. The Lipschitz bound of a mixture grows with
 * exactly these distances (Puigcerver et al. 2022).
 *
 * @param outputs - output of every expert for every token, `[T,E,W]`.
 * @param chosen  - not 0 where a token chose an expert, `[T,E]`; no gradient is meant to flow through it.
 * @returns Scalar ≥ 0, in the unit of the outputs; the caller disposes it.
 * @throws {@link ShapeError} if the shapes disagree.
 * @see {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022}
 */
export function expertAgreement(outputs: Tensor3D, chosen: Tensor2D): Scalar {
  const { T, E, W } = expectShape('expertAgreement', { outputs }, ['T', 'E', 'W']);
  expectShape('expertAgreement', { chosen }, [T, E]);
  return tidy(() => {
    let total: Tensor = scalar(0);
    let pairs: Tensor = scalar(0);
    for (let i = 0; i < E; i++) {
      for (let j = i + 1; j < E; j++) {
        const [a, b] = [i, j].map((expert) => slice(outputs, [0, expert, 0], [T, 1, W]));
        const both = mul(slice(chosen, [0, i], [T, 1]), slice(chosen, [0, j], [T, 1]));
        const together = div(both, maximum(both, TINY));
        const distance = sub(sqrt(add(sum(square(sub(a!, b!)), 2), TINY)), Math.sqrt(TINY));
        total = add(total, sum(mul(distance, together)));
        pairs = add(pairs, sum(together));
      }
    }
    return div(total, maximum(pairs, 1)) as Scalar;
  });
}
