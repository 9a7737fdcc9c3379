import { wilsonInterval } from '@moe/core';
import {
  type Figure,
  type Table,
  expertBars,
  heatMap,
  htmlReport,
  imageGrid,
  interval,
  lineChart,
  percent,
  perturbationView,
  shareOverTime,
  table,
  tradeOffScatter,
} from '@moe/report';
import { isDense, pathLabel } from './jobs.js';
import type { Results } from './results.js';
import { type PathSummary, fixedLayer, gatedOf, normalised, summarise } from './summary.js';

const estimate = (successes: number, images: number): string => {
  const { low, high } = wilsonInterval(successes, images);
  return `${percent(successes / images)} ${interval(low, high)}`;
};

/** The table of the run: one row per attacked path, with 95 % Wilson intervals. */
export function resultTable(results: Results): Table {
  const { evaluation } = results.config;
  const rows = summarise(results).map((row) => ({
    ...row,
    path: isDense(row.model) ? '' : pathLabel(row.path),
    cleanText: estimate(row.clean, row.images),
    pgdText: row.valid ? estimate(row.pgd, row.images) : 'fault',
    apgdText: row.valid ? estimate(row.apgd, row.images) : 'fault',
    mark: row.isRobustExpert ? '◆' : '',
  }));
  return table({
    columns: [
      { key: 'model', header: 'Model' },
      { key: 'path', header: 'Path' },
      { key: 'share', header: 'Routed here', align: 'right', format: (share) => percent(share, 0) },
      { key: 'cleanText', header: 'Clean', align: 'right' },
      { key: 'pgdText', header: `PGD-${evaluation.pgdSteps}`, align: 'right' },
      { key: 'apgdText', header: `AutoPGD-${evaluation.apgdSteps}`, align: 'right' },
      { key: 'mark', header: 'Robust expert', align: 'center' },
    ],
    rows,
    caption: `Accuracy on ${results.config.data.testImages} test images and under attack (L-inf, eps ${results.config.evaluation.eps.toPrecision(3)}), with 95 % Wilson intervals. ◆: withstands both attacks on its own path more often than the gated model does.`,
    highlight: (row) => row.mark !== '',
    groupBy: 'model',
  });
}

const share = (successes: number, images: number) => ({ value: successes / images, interval: wilsonInterval(successes, images) });

function tradeOff(rows: readonly PathSummary[]): Figure {
  return tradeOffScatter({
    points: rows
      .filter((row) => row.valid)
      .map((row) => ({
        label: isDense(row.model) ? 'dense' : pathLabel(row.path),
        clean: row.clean / row.images,
        robust: row.robust / row.images,
        cleanInterval: wilsonInterval(row.clean, row.images),
        robustInterval: wilsonInterval(row.robust, row.images),
        group: row.model,
        shape: row.path === 'gated' ? 'deployed model' : 'single expert',
      })),
  });
}

function bars(rows: readonly PathSummary[]): Figure {
  const dense = rows.find((row) => isDense(row.model) && row.valid);
  return expertBars({
    groups: rows
      .filter((row) => row.valid && !isDense(row.model))
      .map((row) => ({ model: row.model, path: pathLabel(row.path), ...share(row.robust, row.images), reference: row.path === 'gated', highlighted: row.isRobustExpert })),
    ...(dense ? { baseline: { label: 'dense', value: dense.robust / dense.images } } : {}),
    title: 'Accuracy under both attacks, per path',
  });
}

const moeModels = (results: Results) => results.training.filter(({ moeLayers }) => moeLayers.length > 0);

function routingFigures(results: Results): Figure[] {
  return moeModels(results).flatMap(({ model, moeLayers, history }) => {
    const layer = fixedLayer(moeLayers, results.config);
    const matrix = gatedOf(results, model).routing?.find((record) => record.layer === layer)?.classByExpert;
    const experts = Array.from({ length: results.config.moe.numExperts }, (_, i) => `expert ${i}`);
    return [
      ...(matrix ? [heatMap({ title: `${model}: share of each class per expert (${layer})`, rows: results.data.classNames, columns: experts, values: matrix })] : []),
      shareOverTime({
        title: `${model}: share of training images per expert (${layer})`,
        times: history.epochs.map(({ epoch }) => epoch + 1),
        names: experts,
        shares: history.epochs.map((epoch) => normalised(epoch.routing.find((record) => record.layer === layer)!.usage)),
        xTitle: 'epoch',
      }),
    ];
  });
}

function trainingFigures(results: Results): Figure[] {
  const series = (y: 'loss' | 'accuracy') => results.training.map(({ model, history }) => ({ name: model, points: history.epochs.map((epoch) => ({ x: epoch.epoch + 1, y: epoch[y] })) }));
  return [
    lineChart({ title: 'Training loss, balance loss included', series: series('loss'), xTitle: 'epoch', yTitle: 'loss' }),
    lineChart({ title: 'Accuracy on the training batches, as attacked', series: series('accuracy'), xTitle: 'epoch', yTitle: 'accuracy' }),
  ];
}

function images(results: Results): string {
  const [height = 0, width = 0, channels = 0] = results.data.inputShape;
  const { eps } = results.config.evaluation;
  const name = (label: number): string => results.data.classNames[label]!;
  const picture = (pixels: string) => ({ data: Float32Array.from(Buffer.from(pixels, 'base64'), (byte) => byte / 255), height, width, channels });
  return imageGrid({
    rows: results.config.models.flatMap((model) => {
      const shown = gatedOf(results, model).examples ?? [];
      return [
        { label: `${model}, clean`, images: shown.map((example) => ({ ...picture(example.clean), caption: `${name(example.label)}; taken for ${name(example.cleanPrediction)}` })) },
        { label: `${model}, under PGD`, images: shown.map((example) => ({ ...picture(example.adversarial), caption: `taken for ${name(example.adversarialPrediction)}` })) },
        // White and black are the whole radius up and down.
        ...(eps > 0 ? [{ label: 'what PGD added', images: shown.map((example) => perturbationView(picture(example.clean), picture(example.adversarial), { range: eps })) }] : []),
      ];
    }),
  });
}

/** The whole run as one HTML file. */
export function reportHtml(results: Results): Promise<string> {
  const rows = summarise(results);
  const { config, provenance } = results;
  const hasMoe = moeModels(results).length > 0;
  return htmlReport({
    title: 'Robust experts',
    subtitle: `${results.data.name}, ResNet-${config.network.depth} of width ${config.network.width}, ${config.training.eps > 0 ? `PGD-${config.training.steps} adversarial training` : 'standard training'}, ${config.data.trainImages} images, ${config.training.epochs} epochs`,
    sections: [
      { title: 'What was found', text: results.findings },
      { title: 'Accuracy of every path', text: 'Each attack is made against the very path that it scores.', table: resultTable(results), figures: [tradeOff(rows), ...(hasMoe ? [bars(rows)] : [])] },
      ...(hasMoe ? [{ title: 'Who goes where', figures: routingFigures(results) }] : []),
      { title: 'Training', figures: trainingFigures(results), table: costTable(results) },
      { title: 'Lipschitz bounds', text: results.training.flatMap(({ lipschitz }) => lipschitz.flatMap(({ reason }) => reason ?? [])).slice(0, 1), table: lipschitzTable(results) },
      { title: 'Images and their adversarial versions', html: images(results) },
    ],
    meta: { preset: results.preset, seed: config.seed, engine: provenance.engine, '@moe': provenance.moe, tfjs: provenance.tfjs, Node: provenance.node, commit: provenance.commit ?? 'unknown' },
  });
}

function costTable(results: Results): Table {
  return table({
    columns: [
      { key: 'model', header: 'Model' },
      { key: 'parameters', header: 'Parameters', format: (value) => value.toLocaleString('en') },
      { key: 'macs', header: 'Multiply-adds per image', format: (value) => value.toLocaleString('en') },
    ],
    rows: results.training,
  });
}

function lipschitzTable(results: Results): Table {
  return table({
    columns: [
      { key: 'model', header: 'Model' },
      { key: 'path', header: 'Path' },
      { key: 'bound', header: 'Lipschitz constant at most', align: 'right' },
    ],
    rows: results.training.flatMap(({ model, lipschitz }) =>
      lipschitz.map(({ path, upper }) => ({ model, path: isDense(model) ? '' : pathLabel(path), bound: upper === null ? 'none' : upper.toPrecision(3) })),
    ),
    caption: 'Product bounds, L2 over pixels to L2 over logits, with the expert fixed in every MoE layer.',
    groupBy: 'model',
  });
}
