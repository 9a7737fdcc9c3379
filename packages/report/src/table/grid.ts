/** A table after formatting: plain, clean, one-line texts. */
export interface Grid {
  readonly caption: string | undefined;
  readonly headers: readonly string[];
  readonly aligns: readonly ('left' | 'right' | 'center')[];
  readonly cells: readonly (readonly string[])[];
  readonly highlighted: readonly boolean[];
  /** Of each cell; all of a highlighted row. */
  readonly bold: readonly (readonly boolean[])[];
  readonly startsGroup: readonly boolean[];
}
