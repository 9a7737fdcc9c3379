/**
 * A learning rate over time: an immutable value made by a function such as {@link cosine}.
 */
export interface Schedule<Options extends object = object> {
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: Readonly<Options>;
  /**
   * Learning rate of one step.
   *
   * @param position - epochs done, in `[0, epochs)`; fractional within an epoch.
   * @param epochs   - length of the run.
   */
  rate(position: number, epochs: number): number;
}

/** How often a curve is read. */
export interface ScheduleResolution {
  /** `'epoch'` keeps the rate of an epoch's start throughout it; `'step'` follows the curve. @defaultValue 'epoch' */
  readonly per?: 'epoch' | 'step';
}
