// Shapes: B batch, H W pixels, C channels, M classes.
import type { Tensor } from '@tensorflow/tfjs-core';

/** Something that both sides compute: a network with its weights, a batch, and what is done with them. */
export interface Subject {
  /** Weights by the names of the peer's modules, in tfjs' layout. */
  readonly weights: () => readonly NamedTensor[];
  /** `[B,H,W,C]` in [0, 1], row-major. */
  readonly images: Float32Array;
  readonly imageShape: readonly [number, number, number, number];
  readonly labels: Int32Array;
  readonly attack: { readonly eps: number; readonly stepSize: number; readonly steps: number };
  /** By the names of the rows. */
  readonly tasks: Readonly<Record<string, () => void | Promise<void>>>;
  /** What one pass gives, by the kind of network: `'function'`, and `'layers'` where there is an ordinary model of tfjs too. */
  readonly passes: Readonly<Record<string, Pass>>;
  /** Highest loss of each row that the attack finds. */
  readonly attackLosses: () => readonly number[];
  /** One training step; resolves to its loss. */
  readonly trainStep: () => Promise<number>;
}

/** Fresh tensors of the network in evaluation mode; the caller disposes them. */
export interface Pass {
  /** `[B,M]` */
  readonly logits: () => Tensor;
  /** Gradient of the summed cross entropy, `[B,H,W,C]`. */
  readonly inputGradient: () => Tensor;
}

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}
