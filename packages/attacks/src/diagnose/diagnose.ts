import { getBackend, version_core } from '@tensorflow/tfjs-core';
import { type Dataset, type LogitsFn, createRng, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf, isMoeError, throwIfAborted } from '@moe/core';
import manifest from '../../package.json' with { type: 'json' };
import { trustOf } from '../evaluate/findings.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { expectWithinBounds, rowOf } from '../internal/problem.js';
import { pgd } from '../pgd.js';
import type { Diagnosis } from './diagnosis.js';
import { finding } from './doubt.js';
import { type Results, experimentsOf, measuresOf } from './experiments.js';
import { type AttackMaker, type Subject, judge } from './subject.js';

export interface DiagnoseOptions {
  readonly model: LogitsFn;
  /** Labelled inputs; taken are some, spread evenly, of which those that the model gets right are attacked. */
  readonly data: Dataset;
  /** Radius of the ball of the evaluation in question, in input units. */
  readonly eps: number;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  readonly seed: number;
  /** How many examples to take. @defaultValue 32 */
  readonly examples?: number;
  /** Steps of the attack. @defaultValue 40 */
  readonly steps?: number;
  /** Makes the attack under test, for several radii and numbers of steps; without `compile`. @defaultValue PGD */
  readonly attack?: AttackMaker;
  /** A model of the same task without defence, whose adversarial examples should not fool more than those of the model itself. @defaultValue none */
  readonly twin?: LogitsFn;
  /** Names the weights in the result. @defaultValue '' */
  readonly modelId?: string;
  /** Called before each experiment with its number, their total and its name. */
  readonly onProgress?: (done: number, total: number, name: string) => void;
  readonly signal?: AbortSignal;
}

const KEYS = ['model', 'data', 'eps', 'norm', 'seed', 'examples', 'steps', 'attack', 'twin', 'modelId', 'onProgress', 'signal'];

/**
 * Looks for reasons why attacks could leave a model that is not robust: small experiments whose outcome is known for an honest model.
 *
 * @remarks
 * Larger balls, more steps and gradients must win over smaller ones, fewer steps, one step, random points, queries without gradients, and points from another model; a ball that
 * holds every input must leave nothing (Carlini et al. 2019). The path of the attack must not pass adversarial points in silence, stand still, or end while it rises, and the loss must
 * not jump at random points (Pintor et al. 2022). The slope must be that of the loss. Points planted in the ball must be found (Zimmermann et al. 2022). The attack's results must survive 8 bits.
 * It says nothing about how robust the model is; run it beside {@link evaluate} and trust the worse of both.
 *
 * @returns Plain JSON; no tensor stays alive, also when it throws.
 * @throws {@link ArgumentError} if an option is unknown or wrong, or the model gets none of the examples right.
 * @throws {@link AbortedError} if the signal fires.
 * @see {@link https://arxiv.org/abs/1902.06705 | Carlini et al. 2019}; {@link https://arxiv.org/abs/2106.09947 | Pintor et al. 2022}; {@link https://arxiv.org/abs/2206.13991 | Zimmermann et al. 2022}
 *
 * @example
 * const { trust, findings } = await diagnose({ model, data, eps: 8 / 255, seed: 1 });
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  expectKnownKeys('diagnose', options, KEYS);
  const { data, seed, modelId = '', twin, onProgress, signal } = options;
  const subject = await subjectOf(options);
  const attack = subject.attackOf(subject);
  const origin = {
    schema: 'moe.diagnosis/1' as const,
    data: { name: data.name, split: data.split, length: data.length, bounds: data.bounds },
    modelId,
    seed,
    engine: getBackend(),
    versions: { '@moe/attacks': manifest.version, '@tensorflow/tfjs-core': version_core },
    eps: subject.eps,
    norm: subject.norm,
    attack: { name: attack.name, options: attack.options },
    examples: subject.ids,
  };
  const experiments = Object.entries(experimentsOf(subject, twin));
  const results: Record<string, { readonly findings: Diagnosis['findings'] }> = {};
  try {
    for (const [i, [name, run]] of experiments.entries()) {
      onProgress?.(i, experiments.length, name);
      await new Promise((resolve) => setTimeout(resolve, 0));
      throwIfAborted('diagnose', signal);
      results[name] = run();
    }
  } catch (error) {
    if (!isMoeError(error, 'NUMERICS')) throw error;
    const broken = finding('not-finite', 'invalid', error.message, 'The sign of NaN is 0 in many programs, which hides it: find the operation that makes it.');
    return { ...origin, measures: null, findings: [broken], trust: 'invalid' };
  }
  onProgress?.(experiments.length, experiments.length, 'done');
  const findings = Object.values(results).flatMap(({ findings }) => findings);
  return { ...origin, measures: measuresOf(results as unknown as Results), findings, trust: trustOf(findings) };
}

const pgdOf: AttackMaker = (options) => pgd(options);

async function subjectOf(options: DiagnoseOptions): Promise<Subject> {
  const { model, data, eps, norm = 'Linf', seed, examples = 32, steps = 40, attack: attackOf = pgdOf, signal } = options;
  expectNumber('diagnose', 'eps', eps, Number.MIN_VALUE);
  expectOneOf('diagnose', 'norm', norm, Object.keys(GEOMETRIES) as AttackNorm[]);
  expectInteger('diagnose', 'seed', seed, 0);
  expectInteger('diagnose', 'examples', examples, 1);
  expectInteger('diagnose', 'steps', steps, 1);
  const count = Math.min(examples, data.length);
  const { inputs, labels, ids, shape } = await data.read(Array.from({ length: count }, (_, i) => Math.floor((i * data.length) / count)));
  expectWithinBounds('diagnose', 'inputs', inputs, data.bounds);
  const all: Subject = {
    model,
    inputs,
    labels,
    ids: Array.from(ids),
    shape: shape.slice(1),
    size: inputs.length / count,
    bounds: data.bounds,
    eps,
    norm,
    steps,
    rng: createRng(seed),
    signal,
    attackOf: ({ eps, norm, bounds, steps }) => attackOf({ eps, norm, bounds, steps }),
  };
  const right = judge(all, inputs).flatMap((wrong, row) => (wrong ? [] : [row]));
  expectArgument('diagnose', 'model', right.length > 0, `get one of ${count} examples right`, 'none');
  const chosen = new Float32Array(right.length * all.size);
  right.forEach((row, i) => chosen.set(rowOf(inputs, row, all.size), i * all.size));
  return { ...all, inputs: chosen, labels: Int32Array.from(right, (row) => labels[row]!), ids: right.map((row) => all.ids[row]!) };
}
