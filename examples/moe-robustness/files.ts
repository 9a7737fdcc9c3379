import { join } from 'node:path';

/** Files of a run, below the folder of all runs. */
export const files = {
  folder: (out: string, run: string): string => join(out, run),
  config: (folder: string): string => join(folder, 'config.json'),
  checkpoint: (folder: string): string => join(folder, 'checkpoint.moe'),
  weights: (folder: string): string => join(folder, 'weights.moe'),
  training: (folder: string): string => join(folder, 'training.json'),
  part: (folder: string, part: string): string => join(folder, `${part}.json`),
  results: (folder: string): string => join(folder, 'results.json'),
};
