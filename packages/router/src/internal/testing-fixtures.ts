import { type Tensor, type Tensor2D, clone } from '@tensorflow/tfjs-core';
import type { GateNetwork } from '../types.js';

/** Gate probabilities of the golden vectors, 6 rows and 4 experts. */
export const GOLDEN_GATES = [
  [0.7, 0.1, 0.15, 0.05],
  [0.6, 0.25, 0.1, 0.05],
  [0.2, 0.5, 0.2, 0.1],
  [0.05, 0.05, 0.1, 0.8],
  [0.4, 0.35, 0.15, 0.1],
  [0.55, 0.05, 0.3, 0.1],
];

/** Inputs that become exactly these gates under {@link identityGate}. */
export const logitsOf = (gates: readonly (readonly number[])[]): number[][] => gates.map((row) => row.map(Math.log));

/** Its logits are its inputs `[T,E]`. */
export const identityGate: GateNetwork = {
  name: 'identityGate',
  options: {},
  init: () => ({}),
  logits: (_, inputs: Tensor) => clone(inputs) as Tensor2D,
};

/** Logits of the golden values of V-MoE's routers, 6 tokens and 4 experts. */
export const V_MOE_LOGITS = Array.from({ length: 6 }, (_, token) => Array.from({ length: 4 }, (_, expert) => Math.sin(1.7 * token + 0.9 * expert) + 0.3 * expert));
