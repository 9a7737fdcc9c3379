/** Specs that fail on an engine for the same reason. One that passes after all, or fails unlisted, fails the run. */
export interface Ignored {
  readonly reason: string;
  /** Full names without the engine's. */
  readonly specs: readonly string[];
}
