import '@tensorflow/tfjs-layers';
import { type GradConfig, registerGradient } from '@tensorflow/tfjs-core';
import { activationGradients } from './activations.js';
import { batchNormGradient } from './batch-norm.js';
import { convolutionGradient, filterGradientGradient } from './convolution.js';
import { einsumGradient } from './einsum.js';
import { meanGradient, sumGradient } from './reductions.js';

/** Gradients that stock tfjs lacks or computes wastefully. They hold for every engine. */
const GRADIENTS: readonly GradConfig[] = [...activationGradients, batchNormGradient, convolutionGradient, einsumGradient, filterGradientGradient, meanGradient, sumGradient];

/** Registers our gradients with tfjs, after its own, which come with `@tensorflow/tfjs-layers`. Doing it twice is the same as once. */
export function registerGradients(): void {
  GRADIENTS.forEach(registerGradient);
}
