import type { EngineName } from '@moe/backend';

/** One line of a benchmark's result: what ours costs, what it is measured against, and whether the bar holds. */
interface BenchmarkRow {
  /** `ENGINE/SUBJECT/VARIANT`. */
  readonly name: string;
  readonly ours: number;
  readonly theirs: number;
  /** Of `ours` and `theirs`. */
  readonly unit: string;
}

/** What a benchmark module yields: a row and the largest ratio `ours / theirs` that is allowed, where an issue or decision sets one; versions and machine, where the peer is another program. */
export type MeasuredRow = BenchmarkRow & { readonly limit?: number; readonly conditions?: string };

/** A benchmark; yields each row as soon as it is measured. */
export type Benchmark = (options: BenchmarkOptions) => AsyncGenerator<MeasuredRow>;

export interface BenchmarkOptions {
  /** Fewer rounds and smaller sizes, for about a minute in all. */
  readonly quick: boolean;
  /** Only this engine; those that work here by default. `attacks`, `dispatch`, `layers` and `conformance`. */
  readonly engine: Exclude<EngineName, 'webgpu'> | undefined;
  /** Only specs whose name contains it (`conformance`), subjects (`leaks`), or `'pgd'`, `'batch'` and comparisons with the original (`attacks`). */
  readonly filter: string | undefined;
  /** File for the specs that fail, one JSON object a line. `conformance` alone. */
  readonly failures: string | undefined;
}
