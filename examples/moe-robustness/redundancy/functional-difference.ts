// How much experts differ as functions, on the tokens that they see.
import type { Rng } from '@moe/core';
import { type Tensor, type Tensor3D, dispose, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { layerAt } from './layer-at.js';
import { ranked } from './reroute.js';

export interface FunctionalDifference {
  readonly layer: string;
  /** Mean ‖f_i − f_j‖ / ½ (‖f_i‖ + ‖f_j‖) of the first and second choice of a token. */
  readonly topTwo: number;
  /** The same of two experts drawn at random. */
  readonly random: number;
  /** Mean lead of the first gate over the second. */
  readonly lead: number;
  /** Linear CKA of every two experts over all tokens, `[E][E]`, 1 on the diagonal. */
  readonly cka: readonly (readonly number[])[];
}

/** Distance of two rows, relative to their mean length. */
function relativeDistance(a: Float32Array, b: Float32Array): number {
  let [apart, first, second] = [0, 0, 0];
  a.forEach((value, d) => {
    apart += (value - b[d]!) ** 2;
    first += value ** 2;
    second += b[d]! ** 2;
  });
  const size = (Math.sqrt(first) + Math.sqrt(second)) / 2;
  return size === 0 ? 0 : Math.sqrt(apart) / size;
}

/**
 * Linear centred kernel alignment of two sets of rows: ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖), columns centred.
 *
 * @see {@link https://arxiv.org/abs/1905.00414 | Kornblith et al. 2019}
 */
export function linearCka(x: readonly Float32Array[], y: readonly Float32Array[]): number {
  const centred = (rows: readonly Float32Array[]): Float64Array[] => {
    const means = Float64Array.from(rows[0]!, (_, d) => rows.reduce((sum, row) => sum + row[d]! / rows.length, 0));
    return rows.map((row) => Float64Array.from(row, (value, d) => value - means[d]!));
  };
  const [a, b] = [centred(x), centred(y)];
  const product = (left: readonly Float64Array[], right: readonly Float64Array[]): number => {
    const size = right[0]!.length;
    let total = 0;
    for (let i = 0; i < left[0]!.length; i++) {
      const row = new Float64Array(size);
      left.forEach((values, t) => {
        for (let j = 0; j < size; j++) row[j]! += values[i]! * right[t]![j]!;
      });
      total += row.reduce((sum, value) => sum + value * value, 0);
    }
    return total;
  };
  const size = Math.sqrt(product(a, a) * product(b, b));
  return size === 0 ? 0 : product(a, b) / size;
}

/** Every expert of a layer on every token of the images. */
export function functionalDifference(network: LayersModel, layer: string, images: Tensor, rng: Rng): FunctionalDifference {
  const cut = layerAt(network, layer);
  const { numExperts } = cut.view.moeLayers[0]!;
  const tokens = cut.tokens(images);
  const width = tokens.shape[2];
  const rowsOf = (values: Float32Array): Float32Array[] => Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
  const gates = tidy(() => cut.view.forward(tokens).routing[0]!.gates.dataSync() as Float32Array);
  const outputs = Array.from({ length: numExperts }, (_, expert) => rowsOf(tidy(() => (cut.view.forward(tokens, { experts: { [layer]: expert } }).logits as Tensor as Tensor3D).dataSync() as Float32Array)));
  dispose(tokens);
  let [topTwo, random, lead] = [0, 0, 0];
  const orders = ranked(gates, numExperts);
  orders.forEach(([first = 0, second = 0], row) => {
    const [one = 0, other = 0] = rng.at(row).permutation(numExperts);
    topTwo += relativeDistance(outputs[first]![row]!, outputs[second]![row]!);
    random += relativeDistance(outputs[one]![row]!, outputs[other]![row]!);
    lead += gates[row * numExperts + first]! - gates[row * numExperts + second]!;
  });
  const cka = outputs.map((some, i) => outputs.map((others, j) => (i === j ? 1 : linearCka(some, others))));
  return { layer, topTwo: topTwo / orders.length, random: random / orders.length, lead: lead / orders.length, cka };
}
