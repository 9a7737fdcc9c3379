// Shapes: B batch, D numbers of one example.
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { measure } from '../internal/measure.js';
import { type Problem, rowOf } from '../internal/problem.js';
import { targetedRow } from '../losses/targeted-loss.js';

const TINY = 1e-12; // Croce & Hein 2020, released code

/** Linearised decision boundary of every row: where `gap + ⟨normal, x − point⟩` is zero. */
export interface Boundaries {
  /** Lead of the class over the true one at the row's point, `[B]`. */
  readonly gaps: Float64Array;
  /** Gradient of that lead, row-major `[B,D]`. */
  readonly normals: Float32Array;
  /** 1 where the row's point is misclassified, `[B]`. */
  readonly wrong: Uint8Array;
}

export const createBoundaries = ({ rows, inputs }: Problem): Boundaries => ({ gaps: new Float64Array(rows), normals: new Float32Array(inputs.length), wrong: new Uint8Array(rows) });

/**
 * Finds each row's boundary, of several the one that looks nearest: of least `|gap| / ‖normal‖_q` with the dual norm.
 *
 * @param aims - per boundary, the class that lies behind it for every row, `[B]`; each costs a forward and a backward pass.
 * @param out  - receives the boundaries of the rows that are run.
 */
export function findBoundaries(problem: Problem, norm: AttackNorm, aims: readonly Int32Array[], points: Float32Array, batch: readonly number[], out: Boundaries): void {
  const { size } = problem;
  const { dualLength } = GEOMETRIES[norm];
  const nearest = new Float64Array(batch.length).fill(Infinity);
  for (const targets of aims) {
    const { loss, gradient, wrong } = measure({ ...problem, aims: targets }, targetedRow('cw', targets), points, batch, true);
    batch.forEach((row, i) => {
      const normal = rowOf(gradient!, i, size);
      const away = aims.length === 1 ? 0 : Math.abs(loss[i]!) / (dualLength(normal) + TINY);
      if (away >= nearest[i]!) return;
      nearest[i] = away;
      out.gaps[row] = loss[i]!;
      out.wrong[row] = wrong[i]!;
      rowOf(out.normals, row, size).set(normal);
    });
  }
}
