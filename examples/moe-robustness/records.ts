import type { TrainHistory } from '@moe/adv-train';
import type { Provenance } from '@moe/experiments';
import type { Config } from './protocol.js';
import type { LayerSlopes } from './redundancy/local-lipschitz.js';
import type { Redundancy } from './redundancy/measure.js';

/** `training.json` of a run. */
export interface TrainingRecord {
  readonly parameters: number;
  readonly macs: number;
  readonly history: TrainHistory;
}

/** How the experts of a layer differ between clean and attacked images. */
export interface RoutingChangeRecord {
  readonly layer: string;
  /** 1 − mean overlap of the chosen sets. */
  readonly change: number;
  readonly firstChoiceFlips: number;
  /** What unrelated choices would give. */
  readonly random: number;
}

/** What the released code counts, at one radius. */
export interface ReleasedRecord {
  /** For pixels in [0, 1]. */
  readonly eps: number;
  readonly images: number;
  /** One character an image, `1` right. */
  readonly clean: string;
  readonly attacked: string;
  readonly predictionChanges: number;
  readonly lossBefore: number;
  readonly lossAfter: number;
  readonly routing: readonly RoutingChangeRecord[];
}

/** PGD and AutoPGD at one radius, within [0, 1]. */
export interface StandardRecord {
  readonly eps: number;
  readonly pgd: string;
  readonly apgd: string;
  readonly trust: 'ok' | 'suspect' | 'invalid';
  readonly findings: readonly string[];
}

/** Attacks that see routing, each judged by itself. */
export interface RoutingAttackRecord {
  readonly eps: number;
  readonly images: number;
  /** By attack: right or wrong of each image. */
  readonly robust: Readonly<Record<string, string>>;
}

/** `results.json` of a run. */
export interface Results {
  readonly name: string;
  readonly config: Config;
  readonly provenance: Provenance & { readonly engine: string; readonly cpuSeconds: Readonly<Record<string, number>> };
  readonly training: Omit<TrainingRecord, 'history'>;
  readonly released: readonly ReleasedRecord[];
  readonly standard: readonly StandardRecord[];
  /** Null for a dense model. */
  readonly routing: RoutingAttackRecord | null;
  /** Null for a dense model. */
  readonly redundancy: Redundancy | null;
  /** Of the feed-forward layers that mix in a V-MoE. */
  readonly slopes: readonly LayerSlopes[];
}
