// Robust Experts, cost against experts (X9): exact counts, no training.
import { countMacs, countParameters, resnetSpec } from '@moe/layers';
import { type ReportSection, lineChart, table } from '@moe/report';
import { gapFc, topKRouter } from '@moe/router';

const EXPERTS = [1, 2, 4, 8, 16, 32];

/** Experts per image as a function of all experts, as the curves of the figure. */
const CURVES = [
  ['k = E', (experts: number) => experts],
  ['k = E/2', (experts: number) => Math.max(1, experts / 2)],
  ['k = 2', (experts: number) => Math.min(2, experts)],
  ['k = 1', () => 1],
] as const;

/** Multiply-adds and parameters of the paper's figure: BlockMoE in conv5_x of ResNet-18, ImageNet stem, one 28x28 channel, 1000 classes. */
export function costs() {
  return CURVES.flatMap(([curve, topKOf]) =>
    EXPERTS.map((numExperts) => {
      const topK = topKOf(numExperts);
      const moe = { at: 'layer4', kind: 'block' as const, router: topKRouter({ numExperts, topK, gate: gapFc() }) };
      const spec = resnetSpec({ depth: 18, stem: 'imagenet', classes: 1000, inputShape: [28, 28, 1], seed: 1, ...(numExperts === 1 ? {} : { moe }) });
      return { curve, numExperts, topK, macs: countMacs(spec), parameters: countParameters(spec) };
    }),
  );
}

export function costSection(): ReportSection {
  const rows = costs();
  const series = CURVES.map(([name]) => ({ name, points: rows.filter(({ curve }) => curve === name).map(({ numExperts, macs }) => ({ x: Math.log2(numExperts), y: Math.log10(macs) })) }));
  return {
    title: 'Cost against number of experts',
    text: 'Multiply-adds of convolutions and matrix products per image, gates included. ResNet-18, BlockMoE in all of conv5_x, GAP-FC, ImageNet stem, images of 28 × 28 × 1, 1000 classes.',
    table: table({
      columns: [
        { key: 'curve', header: '' },
        { key: 'numExperts', header: 'Experts', align: 'right' },
        { key: 'topK', header: 'per image', align: 'right' },
        { key: 'macs', header: 'Multiply-adds', align: 'right', format: (value) => value.toLocaleString('en') },
        { key: 'parameters', header: 'Parameters', align: 'right', format: (value) => value.toLocaleString('en') },
      ],
      rows,
      groupBy: 'curve',
    }),
    figures: [lineChart({ title: 'Multiply-adds against experts', series, xTitle: 'log2 of the experts', yTitle: 'log10 of the multiply-adds' })],
  };
}
