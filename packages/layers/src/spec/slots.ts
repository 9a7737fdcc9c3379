import type { Mixture } from './parts.js';

/** How many experts have weights, those that every row passes not counted. */
export const expertsWithWeights = ({ router, slots }: Pick<Mixture, 'router' | 'slots'>): number => (slots === undefined ? router.numExperts : Math.max(...slots) + 1);
