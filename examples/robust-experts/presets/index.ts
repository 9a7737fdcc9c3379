import type { Experiment } from './experiment.js';
import { headline } from './headline.js';
import { methods } from './methods.js';
import { x1 } from './x1.js';
import { x10 } from './x10.js';
import { x2 } from './x2.js';
import { x3 } from './x3.js';
import { x4 } from './x4.js';
import { x5 } from './x5.js';
import { x6 } from './x6.js';
import { x7 } from './x7.js';
import { x8 } from './x8.js';

/** Experiments of many models, by the name that `--preset` takes. X9, the cost of experts, needs no training: see `figures.ts`. */
export const EXPERIMENTS = { headline, x1, x2, x3, x4, x5, x6, x7, x8, x10, methods } as const satisfies Record<string, Experiment>;

export type ExperimentName = keyof typeof EXPERIMENTS;
