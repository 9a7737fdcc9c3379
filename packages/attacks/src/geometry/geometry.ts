import type { Bounds, Rng } from '@moe/core';
import type { Ball, StartKind } from './ball.js';
import { distanceL0 } from './l0.js';
import { ascendL1, distanceL1, projectL1, randomStartL1 } from './l1.js';
import { ascendL2, distanceL2, projectL2, randomStartL2 } from './l2.js';
import { lengthL1, lengthL2, lengthLinf } from './lengths.js';
import { ascendLinf, distanceLinf, projectLinf, randomStartLinf } from './linf.js';

/** Norms that the gradient attacks of this package know. */
export type AttackNorm = 'Linf' | 'L2' | 'L1';

/** Norms that attacks for the nearest misclassified point may make small; `'L0'` counts the coordinates that differ. */
export type MinimumNorm = AttackNorm | 'L0';

/** What an attack needs to know of a norm; every function works on one flat example. */
export interface Geometry {
  readonly project: (point: Float32Array, centre: Float32Array, ball: Ball, out: Float32Array) => Float32Array;
  readonly randomStart: (centre: Float32Array, ball: Ball, kind: StartKind, rng: Rng, out: Float32Array) => Float32Array;
  readonly ascend: (point: Float32Array, gradient: Float32Array, stepSize: number, out: Float32Array, bounds: Bounds) => void;
  readonly distance: (a: Float32Array, b: Float32Array) => number;
  /** Length of a gradient in the dual norm: how fast its function can change per unit of distance. */
  readonly dualLength: (gradient: Float32Array) => number;
}

export const GEOMETRIES: Readonly<Record<AttackNorm, Geometry>> = {
  Linf: { project: projectLinf, randomStart: randomStartLinf, ascend: ascendLinf, distance: distanceLinf, dualLength: lengthL1 },
  L2: { project: projectL2, randomStart: randomStartL2, ascend: ascendL2, distance: distanceL2, dualLength: lengthL2 },
  L1: { project: projectL1, randomStart: randomStartL1, ascend: ascendL1, distance: distanceL1, dualLength: lengthLinf },
};

export const DISTANCES: Readonly<Record<MinimumNorm, Geometry['distance']>> = { Linf: distanceLinf, L2: distanceL2, L1: distanceL1, L0: distanceL0 };
