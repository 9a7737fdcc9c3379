// Shapes: T tokens, E experts, K choices per token. Everything here is on the host.
import { expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';

/** How many rows an expert takes, and who goes first. */
export interface CapacityOptions {
  /** Rows that an expert takes while training, as a multiple of its even share T·K/E. */
  readonly factor: number;
  /** The same in evaluation, where it makes a row's result depend on the rest of the batch. @defaultValue no limit */
  readonly evaluationFactor?: number;
  /**
   * Who keeps a place: the rows in order, or those with the largest first gate ("batch priority routing"). All first choices go before all second
   * choices either way. @defaultValue 'position'
   */
  readonly priority?: 'position' | 'weight';
  /** Capacities are rounded up to a multiple of this. @defaultValue 1; V-MoE uses 4 */
  readonly multipleOf?: number;
}

/** Checked options. */
export type Capacity = Required<CapacityOptions>;

export function resolveCapacity(caller: string, options: CapacityOptions | undefined): Capacity | undefined {
  if (options === undefined) return undefined;
  expectKnownKeys(`${caller}.capacity`, options, ['factor', 'evaluationFactor', 'priority', 'multipleOf']);
  const { factor, evaluationFactor = Infinity, priority = 'position', multipleOf = 1 } = options;
  expectNumber(caller, 'capacity.factor', factor, Number.MIN_VALUE);
  if (evaluationFactor < Infinity) expectNumber(caller, 'capacity.evaluationFactor', evaluationFactor, Number.MIN_VALUE);
  expectOneOf(caller, 'capacity.priority', priority, ['position', 'weight']);
  expectInteger(caller, 'capacity.multipleOf', multipleOf, 1);
  return { factor, evaluationFactor, priority, multipleOf };
}

/** The options as JSON. */
export const capacityJson = (capacity: Capacity | undefined): { readonly capacity?: CapacityOptions } =>
  capacity === undefined
    ? {}
    : { capacity: { factor: capacity.factor, ...(capacity.evaluationFactor < Infinity && { evaluationFactor: capacity.evaluationFactor }), priority: capacity.priority, multipleOf: capacity.multipleOf } };

/**
 * Rows that one expert takes: `⌈rows · factor / E⌉`, rounded up to a multiple.
 *
 * @param rows       - (row, choice) pairs: T·K for token choice, T for expert choice.
 * @param numExperts - E.
 * @param options    - `factor` > 0; `round: 'nearest'` instead of up; `multipleOf`.
 * @returns At least 1.
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}, Sec. 2.4, and its code for the multiple.
 *
 * @example
 * capacityOf(800, 32, { factor: 1.05, multipleOf: 4 }); // 28
 */
export function capacityOf(
  rows: number,
  numExperts: number,
  { factor, round = 'up', multipleOf = 1 }: { readonly factor: number; readonly round?: 'up' | 'nearest'; readonly multipleOf?: number },
): number {
  expectInteger('capacityOf', 'rows', rows, 1);
  expectInteger('capacityOf', 'numExperts', numExperts, 1);
  expectNumber('capacityOf', 'factor', factor, Number.MIN_VALUE);
  const share = (rows * factor) / numExperts;
  const whole = Math.max(1, round === 'up' ? Math.ceil(share) : Math.round(share));
  return Math.ceil(whole / multipleOf) * multipleOf;
}

/**
 * Takes choices away from experts that have more rows than their capacity.
 *
 * @remarks
 * All rows' first choices are served before any second choice. A dropped choice is lost: the row keeps its other experts, and weights are not made up for it.
 *
 * @param choices    - expert of each choice, best first, row-major `[T,K]`; -1 for none.
 * @param topK       - K.
 * @param gates      - `[T,E]` row-major; the gate of the first choice decides with `priority: 'weight'`.
 * @param numExperts - E.
 * @returns New choices, with -1 where dropped.
 * @see {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}, Sec. 2.4 and 4 (batch priority routing).
 */
export function dropOverCapacity(
  choices: Int32Array,
  topK: number,
  gates: ArrayLike<number>,
  numExperts: number,
  { capacity, priority }: { readonly capacity: number; readonly priority: Capacity['priority'] },
): Int32Array {
  const numTokens = choices.length / topK;
  const order = Array.from({ length: numTokens }, (_, token) => token);
  const first = (token: number): number => (choices[token * topK]! < 0 ? -Infinity : gates[token * numExperts + choices[token * topK]!]!);
  if (priority === 'weight') order.sort((a, b) => first(b) - first(a)); // stable
  const kept = Int32Array.from(choices);
  const load = new Int32Array(numExperts);
  for (let choice = 0; choice < topK; choice++) {
    for (const token of order) {
      const at = token * topK + choice;
      const expert = choices[at]!;
      if (expert < 0) continue;
      if (load[expert]! >= capacity) kept[at] = -1;
      else load[expert]!++;
    }
  }
  return kept;
}
