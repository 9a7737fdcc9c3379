import { pathBound } from './boundaries.js';
import type { Claim } from './claim.js';
import { clusterExperts } from './clusters.js';
import { interpolationRegime, nearlyOrthogonalBlocks, noStructure, orthogonalBlocks } from './fixed-routing.js';
import { lawOfRobustness } from './law.js';
import { learnedExperts } from './learned.js';
import { clusterMargin, exactRadius } from './routing-margin.js';
import { boundarySlope, gradientDecomposition } from './soft-routing.js';

/** Our derivations in the setting of Puigcerver et al. (2022), in the order of the README. */
export const CLAIMS: readonly Claim[] = [
  { id: 'V1', statement: 'Experts on E orthogonal blocks of data are √E less steep than the dense interpolant.', run: orthogonalBlocks },
  { id: 'V2', statement: 'An expert is the projection of the dense interpolant; on nearly orthogonal blocks the gain is √E_eff, up to the spectrum of their Gram matrix.', run: nearlyOrthogonalBlocks },
  { id: 'V3', statement: 'Random points in many dimensions are nearly orthogonal, so even a random split gains √E and more.', run: interpolationRegime },
  { id: 'V4', statement: 'Without structure in the data and with more examples than features, splitting makes experts steeper.', run: noStructure },
  { id: 'V5', statement: 'The gradient of a softmax mixture has an expert term and a router term, which disagreement among experts of comparable weight makes large.', run: gradientDecomposition },
  { id: 'V6', statement: 'Where two experts meet, the slope is theirs and half their difference over the temperature.', run: boundarySlope },
  { id: 'V7', statement: 'The radius of a linear top-k router is exact.', run: exactRadius },
  { id: 'V8', statement: 'On clusters, experts are √E less steep at equal accuracy, and certified as far as routing holds.', run: clusterExperts },
  { id: 'V9', statement: 'Across boundaries, outputs change by slopes and jumps; jumps shrink as 1/k, or 1/(k + 1).', run: pathBound },
  { id: 'V10', statement: 'Interpolants of more parameters are less steep, down to a limit.', run: lawOfRobustness },
  { id: 'V11', statement: 'Separated, tight clusters keep their routes: R √((1 − c)/2) − r.', run: clusterMargin },
  { id: 'V12', statement: 'Learned: the lead over a dense network of equal cost shrinks as clusters become alike, and disagreement of experts harms at boundaries.', run: learnedExperts },
];
