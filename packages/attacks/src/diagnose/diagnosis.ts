import type { Bounds } from '@moe/core';
import type { Finding, Trust } from '../evaluate/evaluation.js';
import type { AttackNorm } from '../geometry/geometry.js';

/** What the experiments of {@link diagnose} measured; shares are of `examples`, null where nothing could be measured. */
export interface Measures {
  /** Share that the attack leaves, at `eps` with `steps`. */
  readonly robust: number;
  /** Share left in half the radius, and in twice the radius. */
  readonly robustHalfEps: number;
  readonly robustDoubleEps: number;
  /** Share left when the ball holds every input. */
  readonly robustUnbounded: number;
  /** Share left by four times the steps. */
  readonly robustMoreSteps: number;
  /** Share left by FGSM. */
  readonly robustSingleStep: number;
  /** Share left by random points of the ball. */
  readonly robustNoise: number;
  /** Share left by the Square Attack. */
  readonly robustBlackBox: number;
  /** Share left by what the attack finds on the twin. */
  readonly robustTransfer: number | null;
  /** Share left when the model sees images of 8 bits. */
  readonly robustRounded: number;
  /** Median over the examples of |secant - slope| / |slope| of the margin, along the gradient. */
  readonly gradientError: number | null;
  /** Mean change of the margin at random points within half the radius, relative to the margin and at most 1 (Pintor et al. 2022). */
  readonly lossChange: number;
  /** Share of the attack's steps whose input gradient is exactly zero. */
  readonly zeroSteps: number | null;
  /** Share of the coordinates of those gradients that are exactly zero. */
  readonly zeroCoordinates: number | null;
  /** Share of planted adversarial points that the attack finds, and that random points find (Zimmermann et al. 2022). */
  readonly plantedFound: number | null;
  readonly plantedFoundAtRandom: number | null;
}

/** Outcome of {@link diagnose}; plain JSON, the same for the same seed. */
export interface Diagnosis {
  readonly schema: 'moe.diagnosis/1';
  readonly data: { readonly name: string; readonly split: string; readonly length: number; readonly bounds: Bounds };
  readonly modelId: string;
  readonly seed: number;
  readonly engine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly eps: number;
  readonly norm: AttackNorm;
  /** Name and options of the attack under test. */
  readonly attack: { readonly name: string; readonly options: object };
  /** Ids of the examples, all right without attack. */
  readonly examples: readonly number[];
  readonly measures: Measures | null;
  readonly findings: readonly Finding[];
  /** The worst severity among the findings. */
  readonly trust: Trust;
}
