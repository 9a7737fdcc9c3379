import { countRight } from '@moe/experiments';
import { mcnemar, percent } from '@moe/report';
import type { ModelName } from './schema.js';
import { isDense, pathLabel } from './jobs.js';
import type { PathRecord, Results } from './results.js';
import { expertShares, fixedLayer, gatedOf, isValid, robustFlags } from './summary.js';

const ALPHA = 0.05;
/** An expert is dead if fewer of the test images reach it (predecessor's threshold, arXiv 2204.10598). */
const DEAD_SHARE = 0.01;

/** Share of images that withstand both attacks. */
const robustShare = (record: PathRecord): number => countRight(robustFlags(record)) / record.images;
const pText = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`);
const points = (difference: number): string => `${difference >= 0 ? '+' : '−'}${Math.abs(100 * difference).toFixed(1)} points`;

/** Paired comparison of the same images on two paths: exact McNemar test on the images that only one of them withstands. */
function compare(a: PathRecord, b: PathRecord): { readonly difference: number; readonly p: number } {
  const [left, right] = [robustFlags(a), robustFlags(b)];
  const pairs = Array.from(left, (flag, i) => flag + right[i]!);
  const [onlyA, onlyB] = ['10', '01'].map((kind) => pairs.filter((pair) => pair === kind).length) as [number, number];
  return { difference: robustShare(a) - robustShare(b), p: mcnemar(onlyA, onlyB) };
}

function againstDense(results: Results, model: ModelName): string {
  const { difference, p } = compare(gatedOf(results, model), gatedOf(results, 'dense'));
  const verdict = p < ALPHA ? (difference > 0 ? 'is more robust than' : 'is less robust than') : 'does not differ significantly in robustness from';
  return `Gated ${model} ${verdict} the dense model: ${points(difference)} of accuracy under attack (paired exact test, ${pText(p)}).`;
}

function bestExpert(results: Results, model: ModelName): string {
  const gated = gatedOf(results, model);
  const experts = results.paths.filter((record) => record.model === model && record.path !== 'gated' && isValid(record));
  if (experts.length === 0) return `No expert of ${model} could be evaluated validly.`;
  const best = experts.reduce((a, b) => (robustShare(b) > robustShare(a) ? b : a));
  const { difference, p } = compare(best, gated);
  // The best of several is picked after looking, so its p-value is corrected for their number (Bonferroni).
  const corrected = Math.min(1, p * experts.length);
  const name = `${pathLabel(best.path)} of ${model} (${percent(robustShare(best))})`;
  const reference = `the gated model (${percent(robustShare(gated))} of the images withstand both attacks)`;
  if (difference <= 0) return `No single expert of ${model} withstands attacks better than ${reference}; the best is ${pathLabel(best.path)} (${percent(robustShare(best))}).`;
  if (corrected >= ALPHA) return `The best single path of ${model}, ${name}, is ahead of ${reference}, but not significantly (${pText(corrected)} after correction for ${experts.length} experts).`;
  return `Robust expert: ${name} beats ${reference} by ${points(difference)} (${pText(corrected)} after correction for ${experts.length} experts).`;
}

function routing(results: Results, model: ModelName): string {
  const shares = expertShares(results, model);
  if (shares === undefined) return `Routing of ${model} was not recorded.`;
  const dead = shares.flatMap((share, expert) => (share < DEAD_SHARE ? [expert] : []));
  const layer = fixedLayer(results.training.find((record) => record.model === model)!.moeLayers, results.config);
  const spread = `${shares.map((share) => percent(share, 0)).join(', ')} of the test images reach experts 0 to ${shares.length - 1} of ${layer}`;
  if (dead.length === 0) return `All experts of ${model} live: ${spread}.`;
  const collapsed = shares.length - dead.length === 1 ? `Routing of ${model} collapsed on one expert` : `${dead.length} of ${shares.length} experts of ${model} are dead (${dead.join(', ')})`;
  return `${collapsed}: ${spread}.`;
}

/** What the run shows, in sentences; what it does not show is said as well. */
export function findings(results: Results): string[] {
  const sentences: string[] = [];
  for (const record of results.paths.filter((path) => !isValid(path))) {
    sentences.push(`FAULT: ${record.model}, ${pathLabel(record.path)}: ${record.findings.join(' ')} Its numbers are not results.`);
  }
  const dense = results.paths.find((record) => isDense(record.model));
  for (const model of results.config.models.filter((name) => !isDense(name))) {
    const gated = gatedOf(results, model);
    if (isValid(gated)) {
      if (dense && isValid(dense)) sentences.push(againstDense(results, model));
      sentences.push(bestExpert(results, model));
    }
    sentences.push(routing(results, model));
  }
  sentences.push(
    `One seed and ${results.config.data.testImages} attacked images per path: intervals cover the choice of images, not the randomness of training. Repeat with other --seed values before you believe a difference.`,
  );
  return sentences;
}
