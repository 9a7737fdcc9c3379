import { countRight } from '@moe/experiments';
import { join } from 'node:path';
import { apgd, autoAttack, evaluate, pgd } from '@moe/attacks';
import { type Dataset, expectArgument, expectOneOf } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { countParameters, extractExperts, logitsFn, moeModel, reestimateBatchNorm, torchWeights, writeSafetensors } from '@moe/layers';
import { htmlReport, robustnessCard } from '@moe/report';
import { toTensors } from '@moe/datasets';
import { type Tensor, dispose, io } from '@tensorflow/tfjs-core';
import { attackedData, trainingData } from '../data.js';
import { finishedModel } from '../finished-model.js';
import { isDense } from '../jobs.js';
import type { Results } from '../results.js';
import type { ModelName } from '../schema.js';
import { fixedLayer, gatedOf, isValid, robustFlags } from '../summary.js';

export interface ExportOptions {
  readonly model?: string;
  readonly expert?: number;
  readonly images?: number;
  /** Training images from which its batch norms are estimated anew: those of an expert that few images reached know only these. */
  readonly batchNorm?: number;
}

const BATCH = 100;

/** The first images of a data set, in batches. */
async function* firstImages(data: Dataset, count: number): AsyncGenerator<Tensor> {
  for (let start = 0; start < Math.min(count, data.length); start += BATCH) {
    const { inputs, labels } = toTensors(await data.read(Array.from({ length: Math.min(BATCH, count - start, data.length - start) }, (_, i) => start + i)));
    yield inputs;
    dispose([inputs, labels]);
  }
}

function mostRobust(results: Results, model: ModelName): number {
  const experts = results.paths.flatMap((record) => (record.model === model && record.path !== 'gated' && isValid(record) ? [{ expert: record.path, robust: countRight(robustFlags(record)) }] : []));
  expectArgument('export', 'run', experts.length > 0, 'hold an expert that was evaluated validly', model);
  return experts.reduce((a, b) => (b.robust > a.robust ? b : a)).expert;
}

/** The expert of each MoE layer that stays: the one asked for, elsewhere the one that serves most clean test images. */
export function keptExperts(results: Results, model: ModelName, expert: number): Record<string, number> {
  const { moeLayers } = results.training.find((record) => record.model === model)!;
  const fixed = fixedLayer(moeLayers, results.config);
  const { routing = [] } = gatedOf(results, model);
  return Object.fromEntries(
    moeLayers.map((layer) => {
      const share = routing.find((record) => record.layer === layer)?.share ?? [];
      return [layer, layer === fixed ? expert : Math.max(0, share.indexOf(Math.max(...share)))];
    }),
  );
}

/**
 * Writes one expert path as a dense network: for tfjs, as safetensors with the names of torchvision, and a report card of its own.
 *
 * @returns A line for people.
 */
export async function exportExpert(results: Results, folder: string, out: string, options: ExportOptions): Promise<string> {
  const { config } = results;
  const mixtures = config.models.filter((name) => !isDense(name));
  const wanted = options.model ?? mixtures.at(-1) ?? 'none';
  expectOneOf('export', 'model', wanted, mixtures);
  const model = wanted as ModelName;
  const expert = options.expert ?? mostRobust(results, model);
  const data = await attackedData(config);
  const trained = await finishedModel(model, { config, folder }, data);
  const kept = keptExperts(results, model, expert);
  const dense = extractExperts(trained.network, kept);
  if (options.batchNorm !== undefined) await reestimateBatchNorm(dense, firstImages(await trainingData(config), options.batchNorm));

  await dense.save(
    io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
      const manifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      await writeFileAtomic(join(out, 'weights.bin'), new Uint8Array(io.CompositeArrayBuffer.join(weightData)));
      await writeFileAtomic(join(out, 'model.json'), JSON.stringify({ modelTopology, format, generatedBy, convertedBy, weightsManifest: manifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  await writeFileAtomic(join(out, 'model.safetensors'), writeSafetensors(torchWeights(dense), { metadata: { format: 'pt' } }));

  const { eps, pgdSteps, apgdSteps, batchSize } = config.evaluation;
  const evaluation = await evaluate({
    model: logitsFn(moeModel(dense)),
    data,
    limit: Math.min(options.images ?? data.length, data.length),
    attacks: [pgd({ eps, steps: pgdSteps, start: 'uniform' }), apgd({ eps, steps: apgdSteps }), autoAttack({ eps, version: 'quick' })],
    seed: config.seed,
    batchSize,
    modelId: `${model}, expert ${expert} as a dense network`,
  });
  const name = `${model}, expert ${expert}`;
  const anew = options.batchNorm === undefined ? {} : { 'batch norms estimated anew from': `${options.batchNorm} training images` };
  const places = Object.entries(kept).map(([layer, index]) => `${layer}: ${index}`).join(', ');
  const card = robustnessCard({ name, evaluation, meta: { experts: places, parameters: countParameters(dense), 'parameters of the mixture': trained.parameters, ...anew } });
  await writeFileAtomic(join(out, 'card.html'), await htmlReport(card));
  const line = `${name} (${places}): ${countParameters(dense)} of ${trained.parameters} parameters, clean ${(100 * evaluation.clean.accuracy).toFixed(1)} %, worst case ${(100 * evaluation.worstCase.robustAccuracy).toFixed(1)} % of ${evaluation.examples} images. ${out}`;
  dense.dispose();
  trained.network.dispose();
  return line;
}
