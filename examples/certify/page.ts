import { type Figure, type ReportContent, lineChart, percent, table } from '@moe/report';
import type { Curve, Results } from './run.js';

const named = ({ name }: Curve): { certified: string; attacked: string } => ({ certified: `certified, ${name}`, attacked: name === 'smoothing' ? 'attacked, smoothing' : 'attacked' });

/** Every curve once: what was attacked is the same model for all certificates but smoothing. */
function seriesOf(curves: readonly Curve[]): { name: string; points: { x: number; y: number }[] }[] {
  const series = new Map<string, { x: number; y: number }[]>();
  for (const curve of curves) {
    const { certified, attacked } = named(curve);
    const points = (of: Curve['certified']) => of.map(({ radius, certifiedAccuracy }) => ({ x: radius, y: certifiedAccuracy }));
    series.set(attacked, points(curve.attacked)).set(certified, points(curve.certified));
  }
  return [...series].map(([name, points]) => ({ name, points }));
}

/** The picture: what is certified from below, what attacks leave from above. */
export function pictureOf({ name, curves, images }: Results): Figure | undefined {
  if (curves.length === 0) return undefined;
  return lineChart({ title: `Certified and attacked accuracy of ${name}`, subtitle: `${images} images; the truth lies between attacked and certified`, xTitle: 'L2 radius', yTitle: 'accuracy', yFormat: 'percent', series: seriesOf(curves) });
}

/** Table, picture, and what could not be certified. */
export function pageOf(results: Results): ReportContent {
  const { name, curves, missing, images, engine, seed } = results;
  const series = seriesOf(curves);
  const radii = curves[0]?.certified.map(({ radius }) => radius) ?? [];
  const picture = pictureOf(results);
  const rows = radii.map((radius, i): Record<string, string> => ({ radius: String(radius), ...Object.fromEntries(series.map(({ name: column, points }) => [column, percent(points[i]!.y)])) }));
  return {
    title: `Certified against attacked: ${name}`,
    subtitle: `${images} images, L2`,
    sections: [
      {
        title: 'Accuracy over the radius',
        text: ['Certified: right, and proved to stay so for every perturbation up to the radius; of smoothing, with confidence 99.9 % an image. Attacked: right, and no attack found a perturbation up to the radius.', ...missing.map((each) => `No certificate by ${each.name}: ${each.reason}`)],
        ...(rows.length > 0 && { table: table({ columns: ['radius', ...series.map(({ name: column }) => column)].map((key) => ({ key })), rows }) }),
        ...(picture !== undefined && { figures: [picture] }),
      },
    ],
    meta: { engine, seed, images },
  };
}
