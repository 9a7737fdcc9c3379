// Shapes: T tokens, E experts, K choices per token. Everything here is on the host.
import { type ExpertMask, type Rng, topKIndices } from '@moe/core';

export interface ChooseOptions {
  readonly topK: number;
  /** Experts that may be chosen, at least `topK` of them. */
  readonly allowed: ExpertMask | undefined;
  /** Rows that count; the others have -1 for every choice, and no part in noise or capacity. */
  readonly mask?: readonly boolean[] | undefined;
  readonly noise: { readonly std: number; readonly rng: Rng } | undefined;
  readonly capacityFactor: number;
}

// Rounds after which the released code gives up on capacity.
const MAX_ROUNDS = 25;

/**
 * Expert of each choice, row-major `[T,K]`.
 *
 * @remarks
 * Noise: `z = s / std(s) + N(0, std²)`, with one unbiased standard deviation over all entries. Differs from the source: gates that are all
 * equal (std 0) are not divided, where it divides by zero; and each row draws from its own stream, so its noise does not depend on the batch.
 */
export function chooseExperts(gates: ArrayLike<number>, numExperts: number, { topK, allowed, mask, noise, capacityFactor }: ChooseOptions): Int32Array {
  if (allowed === undefined && mask === undefined && noise === undefined && capacityFactor === Infinity) return topKIndices(gates, numExperts, topK);
  const rows = Array.from({ length: gates.length / numExperts }, (_, row) => row).filter((row) => mask?.[row] !== false);
  const scores = new Float64Array(rows.length * numExperts);
  rows.forEach((row, i) => {
    for (let expert = 0; expert < numExperts; expert++) scores[i * numExperts + expert] = allowed?.[expert] === false ? -Infinity : gates[row * numExperts + expert]!;
  });
  if (noise !== undefined) addNoise(scores, rows, numExperts, noise);
  const open = allowed === undefined ? numExperts : allowed.filter(Boolean).length;
  const capacity = Math.max(1, Math.ceil(((topK * rows.length) / open) * Math.min(capacityFactor, rows.length)));
  const chosen = capacity >= rows.length ? topKIndices(scores, numExperts, topK) : chooseWithinCapacity(scores, numExperts, topK, capacity);
  if (mask === undefined) return chosen;
  const all = new Int32Array((gates.length / numExperts) * topK).fill(-1);
  rows.forEach((row, i) => all.set(chosen.subarray(i * topK, (i + 1) * topK), row * topK));
  return all;
}

function addNoise(scores: Float64Array, rows: readonly number[], numExperts: number, { std, rng }: { std: number; rng: Rng }): void {
  const finite = scores.filter(Number.isFinite);
  const mean = finite.reduce((total, score) => total + score, 0) / finite.length;
  const variance = finite.reduce((total, score) => total + (score - mean) ** 2, 0) / Math.max(finite.length - 1, 1);
  const scale = variance > 0 ? 1 / Math.sqrt(variance) : 1;
  rows.forEach((row, i) => {
    const noise = rng.at(row).normal(numExperts, 0, std);
    for (let expert = 0; expert < numExperts; expert++) {
      const at = i * numExperts + expert;
      scores[at] = scores[at]! * scale + noise[expert]!;
    }
  });
}

/**
 * Greedy rounds of proposals: each row proposes its best open experts, each expert keeps its best proposals.
 *
 * @remarks
 * Rows that nobody can take within capacity get their best remaining experts anyway, as in round 25 of the source, so capacity can be exceeded
 * then and no row is ever dropped.
 */
function chooseWithinCapacity(scores: Float64Array, numExperts: number, topK: number, capacity: number): Int32Array {
  const numTokens = scores.length / numExperts;
  const confidence = softmaxRows(scores, numExperts);
  const room = new Int32Array(numExperts).fill(capacity);
  const taken = new Uint8Array(scores.length);
  const chosen: number[][] = Array.from({ length: numTokens }, () => []);

  const bestOpen = (row: number, ignoreCapacity: boolean): number[] => {
    const at = row * numExperts;
    const open = Float64Array.from(room, (left, expert) => (taken[at + expert] || (left <= 0 && !ignoreCapacity) ? -Infinity : scores[at + expert]!));
    const count = Math.min(topK - chosen[row]!.length, open.filter((score) => score > -Infinity).length);
    return count === 0 ? [] : Array.from(topKIndices(open, numExperts, count));
  };
  const assign = (row: number, expert: number): void => {
    chosen[row]!.push(expert);
    taken[row * numExperts + expert] = 1;
    room[expert]!--;
  };

  for (let round = 1, stuck = false; chosen.some((experts) => experts.length < topK); round++) {
    const overflow = stuck || round === MAX_ROUNDS;
    const proposals: number[][] = Array.from({ length: numExperts }, () => []);
    for (let row = 0; row < numTokens; row++) for (const expert of bestOpen(row, overflow)) proposals[expert]!.push(row);
    stuck = proposals.every((rows) => rows.length === 0);
    proposals.forEach((rows, expert) => {
      const by = (row: number): number => confidence[row * numExperts + expert]!;
      const kept = overflow ? rows : rows.sort((a, b) => by(b) - by(a)).slice(0, room[expert]);
      for (const row of kept) assign(row, expert);
    });
  }
  return Int32Array.from(chosen.flat());
}

function softmaxRows(scores: Float64Array, numExperts: number): Float64Array {
  const result = new Float64Array(scores.length);
  for (let at = 0; at < scores.length; at += numExperts) {
    const row = scores.subarray(at, at + numExperts);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = row.reduce((sum, score) => sum + Math.exp(score - top), 0);
    for (let expert = 0; expert < numExperts; expert++) result[at + expert] = Math.exp(row[expert]! - top) / total;
  }
  return result;
}
