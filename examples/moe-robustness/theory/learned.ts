// Learned routing and experts on the clusters of V8: where they help, and what disagreement of experts costs at boundaries (V12).
import { adam, constant, standard, train } from '@moe/adv-train';
import { evaluate, flipRoutes, pgd } from '@moe/attacks';
import { type Batch, type Dataset, type Rng, createRng } from '@moe/core';
import { logitsFn, mlp, modelWeights, moeModel } from '@moe/layers';
import { lineChart } from '@moe/report';
import { type Router, gapFc, topKRouter } from '@moe/router';
import { type Tensor, argMax, dispose, tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { dot } from './algebra.js';
import { type Outcome, atMost, mean, near, rising } from './claim.js';
import { equalCentres } from './routing-margin.js';

export interface LearnedOptions {
  readonly cosines?: readonly number[];
  readonly disagreements?: readonly number[];
  readonly seeds?: number;
  readonly numExperts?: number;
  readonly perCluster?: number;
  readonly testImages?: number;
  readonly epochs?: number;
}

const NOISE_DIRECTIONS = 15;
const EPS = 0.2;
/** Wide enough that no input or attack reaches them. */
const BOUNDS = [-8, 8] as const;
const BATCH = 100;

/** Clusters as data: a direction shared by all centres, then for each cluster one of its own and those of its noise. */
function clusterData(rng: Rng, split: string, { cosine, R, numExperts, count, teachers }: { readonly cosine: number; readonly R: number; readonly numExperts: number; readonly count: number; readonly teachers: readonly Float32Array[] }): Dataset {
  const d = 1 + numExperts * (1 + NOISE_DIRECTIONS);
  const axis = (at: number): Float64Array => Float64Array.from({ length: d }, (_, i) => (i === at ? 1 : 0));
  const centres = equalCentres(numExperts, R, cosine, Array.from({ length: numExperts + 1 }, (_, i) => axis(i)));
  const inputs = new Float32Array(count * d);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const cluster = i % numExperts;
    const noise = rng.stream(split).at(i).normal(NOISE_DIRECTIONS, 0, 1 / Math.sqrt(NOISE_DIRECTIONS));
    inputs.set(centres[cluster]!, i * d);
    inputs.set(noise, i * d + 1 + numExperts + cluster * NOISE_DIRECTIONS);
    labels[i] = dot(teachers[cluster]!, noise) > 0 ? 1 : 0;
  }
  const read = (indices: ArrayLike<number>): Promise<Batch> => {
    const ids = Int32Array.from(indices);
    const rows = new Float32Array(ids.length * d);
    ids.forEach((id, row) => rows.set(inputs.subarray(id * d, (id + 1) * d), row * d));
    return Promise.resolve({ inputs: rows, labels: Int32Array.from(ids, (id) => labels[id]!), ids, shape: [ids.length, 1, 1, d] });
  };
  async function* iterate(): AsyncGenerator<Batch> {
    for (let start = 0; start < count; start += BATCH) yield await read(Array.from({ length: Math.min(BATCH, count - start) }, (_, i) => start + i));
  }
  return { name: 'clusters', split, length: count, inputShape: [1, 1, d], bounds: BOUNDS, classNames: ['minus', 'plus'], read, [Symbol.asyncIterator]: iterate };
}

const routerOf = (numExperts: number, topK: number): Router => topKRouter({ numExperts, topK, gate: gapFc({ bias: false }), balance: { loss: 'entropyLoss', weight: 0.1 } });

/** Perceptrons of as many multiply-adds up to a part in a hundred: the gate costs E hidden units. */
const KINDS = {
  dense: (numExperts: number) => ({ hidden: [numExperts + 8] }),
  'top-1': (numExperts: number) => ({ hidden: [8], moe: { layers: [0], router: routerOf(numExperts, 1) } }),
  'top-2': (numExperts: number) => ({ hidden: [4], moe: { layers: [0], router: routerOf(numExperts, 2) } }),
} as const;
type Kind = keyof typeof KINDS;

async function trained(kind: Kind, data: Dataset, seed: number, numExperts: number, epochs: number): Promise<LayersModel> {
  const network = mlp({ ...KINDS[kind](numExperts), classes: 2, inputShape: data.inputShape, seed: seed + 1 });
  await train({
    model: moeModel(network),
    weights: modelWeights(network),
    data: () => data,
    batchesPerEpoch: Math.ceil(data.length / BATCH),
    epochs,
    objective: standard(),
    optimizer: adam({}),
    schedule: constant({ base: 0.01 }),
    seed,
  });
  return network;
}

interface Setting {
  readonly cosine: number;
  readonly R: number;
  readonly seed: number;
}

function dataOf({ cosine, R, seed }: Setting, numExperts: number, perCluster: number, testImages: number): { readonly train: Dataset; readonly test: Dataset } {
  const rng = createRng(12).at(seed);
  const teachers = Array.from({ length: numExperts }, (_, i) => rng.stream('teacher').at(i).normal(NOISE_DIRECTIONS));
  const part = (split: string, count: number): Dataset => clusterData(rng, split, { cosine, R, numExperts, count, teachers });
  return { train: part('train', numExperts * perCluster), test: part('test', testImages) };
}

/** Share right and share that withstands PGD in L2. */
async function accuracies(network: LayersModel, test: Dataset, seed: number): Promise<{ readonly clean: number; readonly robust: number }> {
  const { clean, attacks } = await evaluate({ model: logitsFn(moeModel(network)), data: test, attacks: [pgd({ eps: EPS, norm: 'L2', steps: 20, bounds: BOUNDS })], seed, batchSize: 200 });
  return { clean: clean.accuracy, robust: attacks[0]!.robustAccuracy };
}

/** Moves every expert away from their mean, or towards it: κ = 0 makes them one, κ = 1 changes nothing. */
function disagree(network: LayersModel, kappa: number): () => void {
  const groups = new Map<string, Tensor[]>();
  const weights = modelWeights(network).filter(({ name }) => /\/expert\d+\//.test(name));
  for (const { name, variable } of weights) groups.set(name.replace(/expert\d+/, '*'), [...(groups.get(name.replace(/expert\d+/, '*')) ?? []), variable]);
  const before = weights.map(({ variable }) => variable.dataSync().slice());
  const means = new Map([...groups].map(([name, some]) => [name, some.map((one) => one.dataSync()).reduce<Float64Array>((sum, values) => sum.map((value, i) => value + values[i]! / some.length), new Float64Array(some[0]!.size))]));
  const assign = (at: number, values: Float32Array): void => tidy(() => weights[at]!.variable.assign(tensor(values, weights[at]!.variable.shape)));
  before.forEach((values, at) => {
    const middle = means.get(weights[at]!.name.replace(/expert\d+/, '*'))!;
    assign(at, Float32Array.from(values, (value, i) => middle[i]! + kappa * (value - middle[i]!)));
  });
  return () => before.forEach((values, at) => assign(at, Float32Array.from(values)));
}

/** Of the right examples, the share that is wrong just beyond the nearest boundary of routing while the expert from before would still be right there. */
async function harmByRouting(network: LayersModel, test: Dataset): Promise<number> {
  const view = moeModel(network);
  const model = logitsFn(view);
  const batch = await test.read(Array.from({ length: test.length }, (_, i) => i));
  const inputs = tensor(batch.inputs, [...batch.shape]);
  const { flipped, distances } = flipRoutes(model, inputs, { norm: 'L2', bounds: BOUNDS });
  const layer = view.moeLayers[0]!.name;
  const { clean, crossed, kept } = tidy(() => {
    const { logits, routing } = view.forward(inputs);
    const predict = (values: Tensor) => argMax(values, 1).dataSync();
    return { clean: predict(logits), crossed: predict(model(flipped)), kept: predict(view.forward(flipped, { experts: { [layer]: routing[0]!.combineWeights } }).logits) };
  });
  dispose([inputs, flipped]);
  const right = Array.from(batch.labels.keys()).filter((i) => clean[i] === batch.labels[i] && Number.isFinite(distances[i]));
  return right.filter((i) => crossed[i] !== batch.labels[i] && kept[i] === batch.labels[i]).length / right.length;
}

/** (i) The lead of an MoE over a perceptron of equal cost shrinks as clusters become alike; (ii) the more experts differ, the more a crossed boundary harms. */
export async function learnedExperts(options: LearnedOptions = {}): Promise<Outcome> {
  const { cosines = [0, 0.9, 0.99], disagreements = [0, 0.25, 0.5, 1], seeds = 2, numExperts = 8, perCluster = 100, testImages = 400, epochs = 20 } = options;
  const found: { cosine: number; kind: Kind; clean: number; robust: number }[] = [];
  const harm = new Map(disagreements.map((kappa) => [kappa, [] as number[]]));
  for (let seed = 0; seed < seeds; seed++) {
    for (const cosine of cosines) {
      const data = dataOf({ cosine, R: 2, seed }, numExperts, perCluster, testImages);
      for (const kind of Object.keys(KINDS) as Kind[]) {
        const network = await trained(kind, data.train, seed, numExperts, epochs);
        found.push({ cosine, kind, ...(await accuracies(network, data.test, seed)) });
        network.dispose();
      }
    }
    // Centres so near that boundaries lie within reach.
    const near = dataOf({ cosine: 0, R: 0.5, seed }, numExperts, perCluster, testImages);
    const network = await trained('top-1', near.train, seed, numExperts, epochs);
    for (const kappa of disagreements) {
      const restore = disagree(network, kappa);
      harm.get(kappa)!.push(await harmByRouting(network, near.test));
      restore();
    }
    network.dispose();
  }
  const of = (cosine: number, kind: Kind, what: 'clean' | 'robust'): number => mean(found.filter((row) => row.cosine === cosine && row.kind === kind).map((row) => row[what]));
  const rows = cosines.map((cosine) => ({ cosine, ...Object.fromEntries((Object.keys(KINDS) as Kind[]).flatMap((kind) => [[`${kind}, clean`, of(cosine, kind, 'clean')], [`${kind}, eps ${EPS}`, of(cosine, kind, 'robust')]])) }));
  const leads = cosines.map((cosine) => of(cosine, 'top-1', 'robust') - of(cosine, 'dense', 'robust'));
  const harms = disagreements.map((kappa) => mean(harm.get(kappa)!));
  return {
    rows: [...rows, ...disagreements.map((kappa, i) => ({ disagreement: kappa, 'right, but wrong beyond the boundary': harms[i]! }))],
    checks: [
      rising('lead of top-1 over dense under attack, at the largest cosine and at 0', [leads.at(-1)!, leads[0]!]),
      near('harm with experts that are one', harms[0]!, 0, 0),
      rising('harm beyond the boundary, with the disagreement of experts', harms),
      atMost('harm, as a share', Math.max(...harms), 1),
    ],
    figures: [
      lineChart({ title: `Accuracy under PGD in L2, eps ${EPS}`, series: (Object.keys(KINDS) as Kind[]).map((kind) => ({ name: kind, points: cosines.map((cosine) => ({ x: cosine, y: of(cosine, kind, 'robust') })) })), xTitle: 'cosine of two centres', yTitle: 'accuracy', yFormat: 'percent' }),
      lineChart({ title: 'Right examples that a crossed boundary makes wrong', series: [{ name: 'top-1', points: disagreements.map((kappa, i) => ({ x: kappa, y: harms[i]! })) }], xTitle: 'disagreement of experts', yTitle: 'share', yFormat: 'percent' }),
    ],
  };
}
