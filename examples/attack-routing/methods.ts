// Do methods for robust routing raise robust accuracy over adversarial training of the same model? See README.md.
import { mkdir } from 'node:fs/promises';
import { type Objective, adam, advMoe, cosine, pgdAdversarial, routerKl, trades, train, withTerms } from '@moe/adv-train';
import { type Evaluation, apgd, evaluate, expertTargeted, pgd } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { batches, take } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { overSeeds } from '@moe/experiments';
import { logitsFn, modelWeights, moeModel } from '@moe/layers';
import { buildNetwork } from './network.js';

/** What one trained model reaches; shares of the images, in [0, 1]. */
interface MethodRecord {
  readonly method: string;
  readonly seed: number;
  readonly clean: number;
  /** Share that is right without attack and under each one. */
  readonly attacks: Readonly<Record<string, number>>;
  readonly worstCase: number;
  /** Share of the training images that the most used expert gets in the last epoch. */
  readonly largestLoad: number;
}

const [trainedOn = '2000', attackedOn = '300', seedList = '1', epochCount = '4', resultsFile] = process.argv.slice(2);
const [images, attacked, seeds, epochs] = [Number(trainedOn), Number(attackedOn), seedList.split(',').map(Number), Number(epochCount)];
const eps = 0.06;
const batchSize = 64;

const attack = pgd({ eps, steps: 5, goal: 'maxLoss' });
/** Moves probabilities away from those of the clean input: what the TRADES loss and AdvMoE attack. */
const kl = pgd({ eps, steps: 5, loss: 'kl', start: 'normal', goal: 'lastStep' });
const madry = pgdAdversarial({ attack, batchNorm: 'running' });
const METHODS: Readonly<Record<string, Objective>> = {
  'PGD-AT': madry,
  'PGD-AT, router KL': withTerms(madry, [routerKl({ weight: 6 })]),
  'AdvMoE, fixed': advMoe({ attack: kl, variant: 'fixed' }),
  TRADES: trades({ attack: kl, beta: 6, batchNorm: 'running' }),
  'AdvMoE, paper': advMoe({ attack: kl, variant: 'paper' }),
  'AdvMoE, released': advMoe({ attack: kl, variant: 'released' }),
};

await useBackend('auto', { threads: 1 });
const data = take(await fashionMnist({ split: 'train' }), images);
const test = take(await fashionMnist({ split: 'test' }), attacked);
/** End to end with the straight-through gradient of the gate, and expert by expert. */
const attacks = [apgd({ eps, steps: 30 }), expertTargeted({ eps, steps: 10 })];

async function measure(method: string, objective: Objective, seed: number): Promise<MethodRecord> {
  // Without a balance loss adversarial training leaves one expert with all images, and nothing to route.
  const network = buildNetwork(seed, { balance: { loss: 'entropyLoss', weight: 0.5 } });
  const view = moeModel(network);
  const { history } = await train({
    model: view,
    weights: modelWeights(network),
    data: (epoch) => batches(data, { batchSize, rng: createRng(seed), epoch }),
    batchesPerEpoch: Math.ceil(images / batchSize),
    epochs,
    objective,
    optimizer: adam(),
    schedule: cosine({ base: 0.003 }),
    clipNorm: 1,
    seed,
  });
  const { clean, attacks: under, worstCase }: Evaluation = await evaluate({ model: logitsFn(view), data: test, attacks, seed: 1, batchSize: 100 });
  network.dispose();
  return {
    method,
    seed,
    clean: clean.accuracy,
    attacks: Object.fromEntries(under.map(({ name, robustAccuracy }) => [name, robustAccuracy])),
    worstCase: worstCase.robustAccuracy,
    largestLoad: Math.max(...history.epochs.at(-1)!.routing[0]!.usage),
  };
}

const percent = (share: number): string => (100 * share).toFixed(1).padStart(6);
const records: MethodRecord[] = [];
console.log(`${'method'.padEnd(28)} seed  clean ${attacks.map(({ name }) => name.padStart(15)).join('')}  worst case  largest load`);
for (const seed of seeds) {
  for (const [method, objective] of Object.entries(METHODS)) {
    const record = await measure(method, objective, seed);
    records.push(record);
    console.log(`${method.padEnd(28)} ${String(seed).padStart(4)} ${percent(record.clean)} ${Object.values(record.attacks).map((share) => percent(share).padStart(15)).join('')} ${percent(record.worstCase).padStart(11)} ${percent(record.largestLoad).padStart(13)}`);
    if (resultsFile === undefined) continue;
    await mkdir(new URL('results/', import.meta.url), { recursive: true });
    await writeFileAtomic(new URL(`results/${resultsFile}`, import.meta.url).pathname, `${JSON.stringify({ images, attacked, epochs, eps, records }, null, 2)}\n`);
  }
}
const worstOf = (method: string): number[] => records.filter((record) => record.method === method).map(({ worstCase }) => worstCase);
const points = (share: number): string => (100 * share).toFixed(1);
const baseline = worstOf('PGD-AT');
for (const method of Object.keys(METHODS).slice(1)) {
  const differences = worstOf(method).map((share, i) => share - baseline[i]!);
  const range = overSeeds(differences);
  if (range !== undefined) console.log(`${method.padEnd(28)} worst case ${points((range.low + range.high) / 2)} points from PGD-AT, ${points(range.low)} to ${points(range.high)} over ${seeds.length} seeds`);
}
