import { merge } from '../merge.js';
import type { Config, DeepPartial } from '../schema.js';
import type { Published } from './published.js';

/** One model of an experiment: what it changes of the configuration that all rows share. */
export interface Row {
  readonly name: string;
  readonly config: DeepPartial<Config>;
  /** What the paper has in the same place. */
  readonly published?: Published;
}

/** A table or figure of the paper: rows that differ in what is studied. */
export interface Experiment {
  /** One line for people. */
  readonly about: string;
  readonly rows: readonly Row[];
}

/** Values of one axis of a grid: label in the name of a row, and what it changes. */
export type Axis = readonly (readonly [label: string, config: DeepPartial<Config>])[];

/** Every combination of the axes, named `LABEL-LABEL-…`; empty labels are left out. */
export function grid(...axes: readonly Axis[]): Row[] {
  return axes.reduce<Row[]>(
    (rows, axis) => rows.flatMap((row) => axis.map(([label, config]) => ({ name: [row.name, label].filter((part) => part !== '').join('-'), config: merge(row.config, config) }))),
    [{ name: '', config: {} }],
  );
}

/** Standard and PGD adversarial training. */
export const MODES: Axis = [
  ['n', { training: { eps: 0 } }],
  ['at', {}],
];

export const GATE_AXIS: Axis = [
  ['gap-fc', { moe: { gate: 'gap-fc' } }],
  ['conv-gap', { moe: { gate: 'conv-gap' } }],
];

export const TOP_K: Axis = [1, 2, 3, 4].map((topK) => [`k${topK}`, { moe: { topK } }]);

/** Models by name, without their name in that of the row. */
export const models = (...names: Config['models']): Axis => names.map((name) => [name, { models: [name] }]);

/** Experts of blocks under the two losses that the paper compares. */
export const LOSS_AXIS = (kind: 'block' | 'conv'): Axis => [
  ['entropy', { models: [`${kind}-entropy`] }],
  ['switch', { models: [`${kind}-switch`] }],
];

type Table = ReadonlyMap<string, { readonly n?: Published; readonly at?: Published }>;

/** Puts the paper's numbers beside rows that are named as in `table`, after `n-` or `at-`. */
export function withPublished(rows: readonly Row[], table: Table): Row[] {
  return rows.map((row) => {
    const mode = row.name.startsWith('n-') ? 'n' : 'at';
    const published = table.get(row.name.replace(/^(n|at)-/, ''))?.[mode];
    return published ? { ...row, published } : row;
  });
}

/** The paper's numbers beside a row, by the name of another row that is the same model. */
export function asIn(table: Table, names: Readonly<Record<string, string>>): Table {
  return new Map(Object.entries(names).flatMap(([name, other]) => (table.has(other) ? [[name, table.get(other)!] as const] : [])));
}
