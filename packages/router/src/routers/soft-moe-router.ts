// Shapes: B examples of N tokens, T = B·N, D features of a token, E experts of S slots.
import { expectArgument, expectInteger, expectKnownKeys, expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, type Tensor3D, add, logSumExp, matMul, mul, reshape, rsqrt, scalar, softmax, square, sum, tensor, transpose } from '@tensorflow/tfjs-core';
import { normalInit } from '../internal/normal-init.js';
import { buildPlan } from '../plans/build-plan.js';
import { expectGateContext } from '../plans/expect-context.js';
import type { Router } from '../types.js';

export interface SoftMoeRouterOptions {
  /** Number of experts, E. */
  readonly numExperts: number;
  /** Slots of each expert, S; E·S slots cost as much as E·S tokens. @defaultValue 1 */
  readonly slotsPerExpert?: number;
}

// Added to the squared length under the root, as in the source.
const NORM_EPS = 1e-6;
const SHUT = -1e9;

/**
 * Soft MoE: every slot is a mixture of the example's tokens, every output a mixture of the slots; nothing is chosen or dropped.
 *
 * @remarks
 * `L = scale · ⟨x_t/‖x_t‖, μ_s/‖μ_s‖⟩`; a slot mixes tokens with `softmax_t(L)`, a token mixes slots with `softmax_s(L)` over all E·S of them. Smooth in the input, and the cost is
 * that of the slots, whatever the number of tokens. Examples do not see each other: set `context.rowsPerExample` to N. Of the plan, `combineWeights` and `gates` are
 * the slots' shares summed by expert. `topK` is E. Weights: `slots` `[D,S,E]`, N(0, 1/D), and `scale`.
 *
 * @returns A router whose plans are soft; `init` and `route` are pure functions of its weights.
 * @throws {@link ArgumentError} if an option is out of range, or the rows are not vectors.
 * @see {@link https://arxiv.org/abs/2308.00951 | Puigcerver et al. 2024}
 *
 * @example
 * const router = softMoeRouter({ numExperts: 16, slotsPerExpert: 4 });
 */
export function softMoeRouter(options: SoftMoeRouterOptions): Router {
  expectKnownKeys('softMoeRouter', options, ['numExperts', 'slotsPerExpert']);
  const { numExperts, slotsPerExpert = 1 } = options;
  expectInteger('softMoeRouter', 'numExperts', numExperts, 1);
  expectInteger('softMoeRouter', 'slotsPerExpert', slotsPerExpert, 1);
  return {
    name: 'softMoeRouter',
    options: { numExperts, slotsPerExpert },
    numExperts,
    topK: numExperts,
    batchInvariant: true,
    continuous: true,
    gradientPath: 'gate',
    init(inputShape, rng) {
      expectArgument('softMoeRouter', 'inputShape', inputShape.length === 1, 'be [D], one vector a token', inputShape);
      return {
        slots: normalInit([inputShape[0]!, slotsPerExpert, numExperts], 1 / Math.sqrt(inputShape[0]!), rng.stream('slots')),
        scale: { value: scalar(1), trainable: true },
      };
    },
    route({ slots, scale }, inputs, context) {
      const { rowsPerExample = 1, allowed, mask } = context;
      expectGateContext('softMoeRouter', numExperts, context);
      expectArgument('softMoeRouter', 'weights', slots !== undefined && scale !== undefined, 'hold slots and scale', slots && 'slots only');
      const { T, D } = expectShape('softMoeRouter', { inputs }, ['T', 'D']);
      expectShape('softMoeRouter', { slots }, [D, slotsPerExpert, numExperts]);
      expectArgument('softMoeRouter', 'context.rowsPerExample', T % rowsPerExample === 0, `divide the ${T} rows`, rowsPerExample);
      const numSlots = numExperts * slotsPerExpert;
      const perExample: [number, number, number] = [T / rowsPerExample, rowsPerExample, numSlots];
      return buildPlan(() => {
        const prototypes = reshape(transpose(slots, [0, 2, 1]), [D, numSlots]);
        const logits = mul(matMul(unit(inputs, 1), unit(prototypes, 0)), scale);
        const open = allowed === undefined ? logits : add(logits, tensor(allowed.flatMap((is) => new Array<number>(slotsPerExpert).fill(is ? 0 : SHUT)), [1, numSlots]));
        const counted = mask === undefined ? logits : add(logits, tensor(mask.map((counts) => (counts ? 0 : SHUT)), [T, 1]));
        const combine = softmax(open);
        const kept = mask === undefined ? combine : mul(combine, tensor(mask.map(Number), [T, 1]));
        const byExpert = (x: Tensor): Tensor3D => reshape(x, [T, numExperts, slotsPerExpert]);
        const dispatch = transpose(softmax(transpose(reshape(counted, perExample), [0, 2, 1])), [0, 2, 1]) as Tensor3D;
        return {
          gateLogits: logSumExp(byExpert(logits), 2) as Tensor2D,
          gates: sum(byExpert(combine), 2) as Tensor2D,
          combineWeights: sum(byExpert(kept), 2) as Tensor2D,
          slots: { dispatch, combine: reshape(kept, perExample) as Tensor3D },
        };
      }, context);
    },
  };
}

const unit = (x: Tensor, axis: number): Tensor2D => mul(x, rsqrt(add(sum(square(x), axis, true), NORM_EPS))) as Tensor2D;
