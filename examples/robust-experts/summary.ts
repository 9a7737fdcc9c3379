import { countRight } from '@moe/experiments';
import { expectOneOf } from '@moe/core';
import { type RoutePath, isDense } from './jobs.js';
import type { PathRecord, Results } from './results.js';
import type { Config, ModelName } from './schema.js';

/** One attacked path, as numbers. */
export interface PathSummary {
  readonly model: ModelName;
  readonly path: RoutePath;
  readonly images: number;
  /** Share of clean test images that the gate sends here; absent where no gate decides. */
  readonly share: number | undefined;
  readonly clean: number;
  readonly pgd: number;
  readonly apgd: number;
  /** Correct under both attacks. */
  readonly robust: number;
  /** Whether the evaluation can be believed; a stronger attack that does worse is a fault, not a result. */
  readonly valid: boolean;
  /** An expert that withstands attacks on its own path better than the gated model does (Robust Experts, Sec. 4). */
  readonly isRobustExpert: boolean;
}

/** `1` where an image withstands both attacks. */
export const robustFlags = ({ pgd, apgd }: PathRecord): string => Array.from(pgd, (flag, i) => (flag === '1' && apgd[i] === '1' ? '1' : '0')).join('');

export const isValid = ({ trust }: PathRecord): boolean => trust !== 'invalid';

export const gatedOf = (results: Results, model: ModelName): PathRecord => results.paths.find((record) => record.model === model && record.path === 'gated')!;

/** The MoE layer whose experts are fixed in turn, as in the paper's fixed-expert evaluation: the last one on the main path unless one is named. */
export function fixedLayer(moeLayers: readonly string[], { evaluation: { fixedLayer: wanted } }: Config): string {
  if (wanted === null) return moeLayers.findLast((name) => !name.includes('downsample'))!;
  expectOneOf('evaluation', 'fixedLayer', wanted, moeLayers);
  return wanted;
}

/** Shares that sum to 1, of rows that several experts may serve. */
export function normalised(usage: readonly number[]): number[] {
  const total = usage.reduce((a, b) => a + b, 0);
  return usage.map((share) => share / total);
}

/** Share of test images per expert in the layer whose experts are fixed. */
export function expertShares(results: Results, model: ModelName): readonly number[] | undefined {
  const layers = results.training.find((record) => record.model === model)!.moeLayers;
  return layers.length === 0 ? undefined : gatedOf(results, model).routing?.find(({ layer }) => layer === fixedLayer(layers, results.config))?.share;
}

export function summarise(results: Results): PathSummary[] {
  return results.paths.map((record) => {
    const gated = gatedOf(results, record.model);
    const robust = countRight(robustFlags(record));
    return {
      model: record.model,
      path: record.path,
      images: record.images,
      share: isDense(record.model) || record.path === 'gated' ? undefined : expertShares(results, record.model)?.[record.path],
      clean: countRight(record.clean),
      pgd: countRight(record.pgd),
      apgd: countRight(record.apgd),
      robust,
      valid: isValid(record),
      isRobustExpert: record.path !== 'gated' && isValid(record) && isValid(gated) && robust > countRight(robustFlags(gated)),
    };
  });
}
