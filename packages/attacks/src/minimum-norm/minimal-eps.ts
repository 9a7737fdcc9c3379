// Shapes: B batch.
import { type Attack, type Bounds, expectArgument, expectInteger, expectKnownKeys, expectNumber, throwIfAborted } from '@moe/core';
import { attackRows, createOutcome, everyRow, put } from '../combinators/combined.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { rowOf, toPerturbation } from '../internal/problem.js';
import { type MinimumNormAttack, type MinimumNormPerturbation, distancesOf } from './minimum-norm-attack.js';

export interface MinimalEpsOptions {
  /** Largest radius, in input units; rows that stand there are not fooled. */
  readonly eps: number;
  /** Times that the radius between one that failed and one that sufficed is halved. @defaultValue 10, to a thousandth of `eps` */
  readonly halvings?: number;
}

/** Options as they are recorded, with those of the attack at the largest radius. */
export interface RecordedMinimalEps extends Required<MinimalEpsOptions> {
  readonly norm: AttackNorm;
  readonly bounds: Bounds;
  readonly attack: { readonly name: string; readonly options: object };
}

/** Outcome of {@link minimalEps}. */
export interface MinimalEpsPerturbation extends MinimumNormPerturbation {
  /** Largest radius below `sufficed` that was tried and failed, `[B]`; 0 where none did. */
  readonly failed: Float64Array;
  /** Smallest radius that was tried and sufficed, `[B]`; infinite for rows that stand, 0 for those that are wrong from the start. */
  readonly sufficed: Float64Array;
}

export interface MinimalEpsAttack extends MinimumNormAttack<RecordedMinimalEps> {
  perturb(...given: Parameters<MinimumNormAttack['perturb']>): MinimalEpsPerturbation;
}

/**
 * Smallest radius at which an attack in a ball succeeds, for every example, by halving.
 *
 * @remarks
 * Every radius is tried as the attack would be by itself: a row's result is bit for bit that of `make(sufficed)`, and `make(failed)` leaves it standing. Where an attack is not monotone, a still
 * smaller radius may suffice. Rows that are at the same radius share a batch. Costs `halvings` + 1 runs of the attack on every row, less where it is fooled early.
 *
 * @param make - makes the attack for a radius; its options must hold `norm` and `bounds`.
 * @returns A frozen attack called `minimalEps:` and the attack's own name, with the same access.
 * @throws {@link ArgumentError} if an option is unknown or out of range, or the attack has no `norm` or no `bounds`.
 *
 * @example
 * const attack = minimalEps((eps) => apgd({ eps, norm: 'L2' }), { eps: 4 });
 * const { distances, failed, sufficed } = attack.perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function minimalEps(make: (eps: number) => Attack, options: MinimalEpsOptions): MinimalEpsAttack {
  expectKnownKeys('minimalEps', options, ['eps', 'halvings']);
  const { eps, halvings = 10 } = options;
  expectNumber('minimalEps', 'eps', eps, 0);
  expectInteger('minimalEps', 'halvings', halvings, 0);
  const widest = make(eps);
  const { norm, bounds } = widest.options as { norm?: AttackNorm; bounds?: Bounds };
  expectArgument('minimalEps', 'options of the attack', norm !== undefined && norm in GEOMETRIES && bounds !== undefined, 'hold norm and bounds', Object.keys(widest.options));
  const name = `minimalEps:${widest.name}`;
  return Object.freeze<MinimalEpsAttack>({
    name,
    options: Object.freeze({ eps, halvings, norm, bounds, attack: Object.freeze({ name: widest.name, options: widest.options }) }),
    access: widest.access,
    perturb: (model, inputs, labels, context) => {
      const outcome = createOutcome(name, inputs, labels, context, bounds);
      const { inputs: clean, points, rows, size } = outcome;
      const away = (row: number): number => GEOMETRIES[norm].distance(rowOf(points, row, size), rowOf(clean, row, size));
      const { onStep: _, ...quiet } = context;
      const failed = new Float64Array(rows);
      const sufficed = new Float64Array(rows).fill(Infinity);
      for (let level = 0; level <= halvings; level++) {
        throwIfAborted(name, context.signal);
        for (const [radius, group] of level === 0 ? [[eps, everyRow(outcome)] as const] : byRadius(failed, sufficed)) {
          attackRows(outcome, make(radius), model, group, quiet, (row, point, fooled, loss) => {
            (fooled === 1 ? sufficed : failed)[row] = radius;
            if (fooled === 1 || level === 0) put(outcome, row, point, fooled, loss);
            // A clean input that is wrong needs no radius at all.
            if (fooled === 1 && away(row) === 0) sufficed[row] = 0;
          });
        }
        context.onStep?.({ step: level, steps: halvings + 1, meanLoss: outcome.loss.reduce((total, loss) => total + loss, 0) / rows });
      }
      return { ...toPerturbation(outcome, outcome), distances: distancesOf(outcome, norm, outcome), failed, sufficed };
    },
  });
}

/** Rows that can come nearer, by the radius halfway between what failed and what sufficed. */
function byRadius(failed: Float64Array, sufficed: Float64Array): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  sufficed.forEach((high, row) => {
    const middle = (failed[row]! + high) / 2;
    if (high === Infinity || middle === high) return;
    groups.set(middle, [...(groups.get(middle) ?? []), row]);
  });
  return groups;
}
