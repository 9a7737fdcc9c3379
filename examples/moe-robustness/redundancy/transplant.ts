// Routing of one set of images under the features of another (spec of the paper's question whether attacks work through routing).
import type { MoeModel } from '@moe/core';
import { type Tensor, dispose, tidy } from '@tensorflow/tfjs-core';
import { accuracyOf, routesOf } from './reroute.js';

/** Accuracy by what the features are of (first) and what the routing is of (second). */
export interface Transplant {
  readonly cleanClean: number;
  readonly cleanAttacked: number;
  readonly attackedClean: number;
  readonly attackedAttacked: number;
}

/** All four pairs: what an attack does through features alone is clean routing on attacked images, through routing alone the reverse. */
export function transplant(view: MoeModel, clean: Tensor, attacked: Tensor, labels: ArrayLike<number>): Transplant {
  const [own, other] = [routesOf(view, clean), routesOf(view, attacked)];
  const accuracy = (images: Tensor, experts: typeof own): number => tidy(() => accuracyOf(view.forward(images, { experts }).logits, labels));
  try {
    return { cleanClean: accuracy(clean, own), cleanAttacked: accuracy(clean, other), attackedClean: accuracy(attacked, own), attackedAttacked: accuracy(attacked, other) };
  } finally {
    dispose([own, other]);
  }
}
