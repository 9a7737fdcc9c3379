// Shapes: B images, M classes.
import { isMoeError } from '@moe/core';
import { type NetworkNode, crownBounds, logitDifferenceBounds, marginCertificate } from '@moe/lipschitz';

/** A predicted class and how far it is certified, in L2. */
export interface CertifiedPrediction {
  readonly prediction: number;
  readonly radius: number;
}

/** Predictions, certified by margins over a bound of the whole network, or why there is none. */
export function globalCertificates(network: NetworkNode, logits: readonly (readonly number[])[]): CertifiedPrediction[] | string {
  try {
    const between = logitDifferenceBounds(network);
    return logits.map((row) => {
      const prediction = row.indexOf(Math.max(...row));
      const others = [...row.keys()].filter((c) => c !== prediction);
      const { radius } = marginCertificate({ margins: others.map((c) => row[prediction]! - row[c]!), bounds: others.map((c) => between(prediction, c)) });
      return { prediction, radius };
    });
  } catch (error) {
    if (isMoeError(error)) return error.message;
    throw error;
  }
}

/** The same with the largest of some radii at which linear bounds around the image keep its class, where that is more; or why there are none. */
export function localCertificates(network: NetworkNode, images: readonly Float32Array[], known: readonly CertifiedPrediction[], radii: readonly number[]): CertifiedPrediction[] | string {
  try {
    return images.map((center, i) => {
      const { prediction, radius } = known[i]!;
      const holds = (tried: number): boolean => crownBounds(network, { center, radius: tried, norm: 'L2', bounds: [0, 1] }, { margin: prediction }).lower.every((margin, c) => c === prediction || margin > 0);
      let best = radius;
      for (const tried of radii) {
        if (tried <= best) continue;
        if (!holds(tried)) break;
        best = tried;
      }
      return { prediction, radius: best };
    });
  } catch (error) {
    if (isMoeError(error)) return error.message;
    throw error;
  }
}
