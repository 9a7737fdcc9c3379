import type { Scalar } from '@tensorflow/tfjs-core';
import { type MoeModel, expectArgument } from '@moe/core';
import type { Pass } from './pass.js';
import type { StepFacts } from './tally.js';

const readScalar = async (value: Scalar): Promise<number> => (await value.data())[0]!;

/** What a pass made, as numbers. */
export async function readFacts({ total, terms, logits, routing, routers, update }: ReturnType<Pass>, labels: Int32Array, learningRate: number, { moeLayers }: MoeModel): Promise<StepFacts> {
  const [rows, classes] = logits.shape;
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  expectArgument('train', `batch.labels[${wrong}]`, wrong < 0, `be a class index in [0, ${classes})`, labels[wrong]);
  const scores = await logits.data();
  let correct = 0;
  labels.forEach((label, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    if (own.indexOf(Math.max(...own)) === label) correct++;
  });
  const shares = (await routers[0]?.data()) ?? [];
  return {
    examples: rows,
    correct,
    loss: await readScalar(total),
    learningRate,
    terms: Object.fromEntries(await Promise.all(Object.entries(terms).map(async ([name, term]) => [name, await readScalar(term)] as const))),
    gradientNorms: update === undefined ? [] : [await readScalar(update.norm)],
    routers: moeLayers.map(({ name }, i) => [name, shares[i]!] as const),
    routing: await Promise.all(
      routing.map(async ({ layer, gates, combineWeights, auxLoss, droppedFraction }) => ({
        layer,
        numExperts: gates.shape[1],
        gates: await gates.data(),
        combineWeights: await combineWeights.data(),
        auxLoss: await readScalar(auxLoss),
        droppedFraction,
      })),
    ),
  };
}

const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;

/** Facts of the steps that an objective took on one batch, as those of one step: means, of each term over the steps that have it. */
export function joinFacts(facts: readonly [StepFacts, ...StepFacts[]]): StepFacts {
  const [first] = facts;
  if (facts.length === 1) return first;
  const names = new Set(facts.flatMap(({ terms }) => Object.keys(terms)));
  const termOf = (name: string): number => mean(facts.flatMap(({ terms }) => terms[name] ?? []));
  return {
    ...first,
    correct: mean(facts.map(({ correct }) => correct)),
    loss: mean(facts.map(({ loss }) => loss)),
    terms: Object.fromEntries([...names].map((name) => [name, termOf(name)])),
    gradientNorms: facts.flatMap(({ gradientNorms }) => gradientNorms),
    routers: facts.flatMap(({ routers }) => routers),
    routing: facts.flatMap(({ routing }) => routing),
  };
}
