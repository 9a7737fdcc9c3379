import type { TopLevelSpec } from 'vega-lite';
import { escapeHtml, oneLine } from '../internal/escape.js';
import { THEME } from './theme.js';

/** A chart: its Vega-Lite specification with the data inside, and its picture. */
export interface Figure {
  readonly title: string;
  /** Self-contained; save it beside the picture so that others can redraw it. */
  readonly spec: TopLevelSpec;
  /** Draws the chart as an SVG document, without a browser and without the network. */
  toSvg(): Promise<string>;
}

/** Wraps a specification: cleans every text in it, adds the common theme, and a description for screen readers. */
export function figure(title: string, description: string, spec: object): Figure {
  const themed = cleaned({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description,
    config: THEME,
    ...spec,
  }) as TopLevelSpec;
  return { title: oneLine(title), spec: themed, toSvg: () => draw(themed, `${oneLine(title)}. ${oneLine(description)}`) };
}

/* Vega is large and its Node build waits for modules at the top level, which `require` cannot: it is loaded with the first picture. */
async function draw(spec: TopLevelSpec, label: string): Promise<string> {
  const [{ View, parse }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    return svg.replace(/\p{Cs}/gu, '').replace('<svg ', () => `<svg role="img" aria-label="${escapeHtml(label)}" `); // Vega may cut a long label within a surrogate pair
  } finally {
    view.finalize();
  }
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return oneLine(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cleaned(inner)]));
  return value;
}
