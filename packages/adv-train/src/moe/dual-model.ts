// Shapes: B batch, M classes.
import { type Scalar, type Tensor2D, add, logSoftmax, mul, softplus, sub, tidy } from '@tensorflow/tfjs-core';
import { type ForwardOptions, type ForwardResult, type MoeLayerInfo, type MoeModel, type Weight, expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';

const COMBINATIONS = ['probabilities', 'logits'] as const;
const PARTS = ['standard', 'robust'] as const;
type Part = (typeof PARTS)[number];

/** Options of {@link dualModel}. */
export interface DualModelOptions {
  /** α, the share of the robust model, in [0, 1]. @defaultValue 0.7 (Zhang et al. 2025) */
  readonly alpha?: number;
  /** What is mixed: probabilities, as the certificate of the paper supposes, or logits, as its code does. @defaultValue 'probabilities' */
  readonly combine?: (typeof COMBINATIONS)[number];
}

/** A model of two, which {@link dualModel} makes. */
export interface DualModel extends MoeModel {
  readonly standard: MoeModel;
  readonly robust: MoeModel;
  readonly alpha: number;
  readonly combine: (typeof COMBINATIONS)[number];
}

/** Logits of a mixture: of probabilities `ln((1 − α) softmax(s) + α softmax(r))`, of logits `(1 − α) s + α r`. */
export function mixLogits({ alpha, combine }: Pick<DualModel, 'alpha' | 'combine'>, standard: Tensor2D, robust: Tensor2D): Tensor2D {
  return tidy(() => {
    if (combine === 'logits') return add(mul(standard, 1 - alpha), mul(robust, alpha)) as Tensor2D;
    if (alpha === 0 || alpha === 1) return logSoftmax(alpha === 0 ? standard : robust);
    const [s, r] = [add(logSoftmax(standard), Math.log(1 - alpha)), add(logSoftmax(robust), Math.log(alpha))];
    return add(s, softplus(sub(r, s))) as Tensor2D; // ln(eˢ + eʳ), finite for any
  });
}

const named = (part: Part, name: string): string => `${part}/${name}`;

/** Options of a pass for one of the parts: its own layers, by their own names, and noise of its own. */
function optionsOf(part: Part, { experts, rng, ...rest }: ForwardOptions): ForwardOptions {
  const own = Object.entries(experts ?? {}).flatMap(([name, choice]) => (name.startsWith(`${part}/`) ? [[name.slice(part.length + 1), choice] as const] : []));
  return { ...rest, ...(own.length > 0 && { experts: Object.fromEntries(own) }), ...(rng !== undefined && { rng: rng.stream(part) }) };
}

/**
 * A standard and a robust model side by side, whose answers are mixed: one number trades accuracy for robustness, also after training.
 *
 * @remarks
 * `(1 − α) F_S + α F_R`. Mixed probabilities keep the robust model's class wherever its margin in probability is above `(1 − α) / α`, whatever F_S says. Layers are named after the part that they
 * belong to, `standard/…` and `robust/…`. A part without MoE layers will do; see {@link dualWeights} for the weights.
 *
 * @throws {@link ArgumentError} if a part is no model, or an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2502.06832 | Zhang et al. 2025}, Sec. 5.
 *
 * @example
 * const model = dualModel(moeModel(a), moeModel(b), { alpha: 0.7 });
 */
export function dualModel(standard: MoeModel, robust: MoeModel, options: DualModelOptions = {}): DualModel {
  expectKnownKeys('dualModel', options, ['alpha', 'combine']);
  const { alpha = 0.7, combine = 'probabilities' } = options;
  const parts = { standard, robust };
  for (const part of PARTS) expectArgument('dualModel', part, typeof parts[part]?.forward === 'function', 'be a MoeModel', parts[part]);
  expectNumber('dualModel', 'alpha', alpha, 0, 1);
  expectOneOf('dualModel', 'combine', combine, COMBINATIONS);
  const moeLayers = PARTS.flatMap((part) => parts[part].moeLayers.map((layer): MoeLayerInfo => ({ ...layer, name: named(part, layer.name) })));
  const forward = (inputs: Parameters<MoeModel['forward']>[0], asked: ForwardOptions = {}): ForwardResult => {
    const unknown = Object.keys(asked.experts ?? {}).find((name) => !moeLayers.some((layer) => layer.name === name));
    expectArgument('forward', 'experts', unknown === undefined, `name MoE layers (${moeLayers.map(({ name }) => name).join(', ')})`, unknown);
    return tidy(() => {
      const [s, r] = PARTS.map((part) => parts[part].forward(inputs, optionsOf(part, asked))) as [ForwardResult, ForwardResult];
      const routing = [s, r].flatMap((result, i) => result.routing.map((entry) => ({ ...entry, layer: named(PARTS[i]!, entry.layer) })));
      return { logits: mixLogits({ alpha, combine }, s.logits, r.logits), routing, auxLoss: add(s.auxLoss, r.auxLoss) as Scalar };
    });
  };
  return { ...parts, alpha, combine, moeLayers, forward };
}

/**
 * The weights of both parts of a {@link dualModel}, named `standard/…` and `robust/…`.
 *
 * @example
 * const weights = dualWeights(modelWeights(a), modelWeights(b));
 */
export function dualWeights(standard: readonly Weight[], robust: readonly Weight[]): readonly Weight[] {
  const under = (part: Part, weights: readonly Weight[]) => weights.map((weight) => ({ ...weight, name: named(part, weight.name) }));
  return [...under('standard', standard), ...under('robust', robust)];
}
