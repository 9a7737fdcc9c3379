import type { TrainHistory } from '@moe/adv-train';
import type { Config, ModelName } from './config.js';
import type { RoutePath } from './jobs.js';
import type { LipschitzRecord } from './lipschitz.js';
import type { Provenance } from './run-folder.js';

/** What training a model left behind, in `models/MODEL/training.json`. */
export interface TrainingRecord {
  readonly model: ModelName;
  readonly parameters: number;
  /** Multiply-adds per image, with the experts that run. */
  readonly macs: number;
  readonly moeLayers: readonly string[];
  readonly lipschitz: readonly LipschitzRecord[];
  readonly history: TrainHistory;
}

/** One MoE layer's routing of clean test images. */
export interface RoutingRecord {
  readonly layer: string;
  /** Test images counted. */
  readonly images: number;
  /** Share of the (image, expert) pairs per expert. */
  readonly share: readonly number[];
  /** Mean weight of each expert for the images of each class, `[classes][experts]`. */
  readonly classByExpert: readonly (readonly number[])[];
}

/** An image with its adversarial version, as base64 of 8-bit pixels `[H,W,C]`. */
export interface ExampleImage {
  readonly label: number;
  readonly cleanPrediction: number;
  readonly adversarialPrediction: number;
  readonly clean: string;
  readonly adversarial: string;
}

/** What attacking one path left behind, in `models/MODEL/PATH.json`. Flags have one character per image, `1` right and `0` wrong, for the same images on every path. */
export interface PathRecord {
  readonly model: ModelName;
  readonly path: RoutePath;
  readonly images: number;
  readonly engine: string;
  readonly clean: string;
  readonly pgd: string;
  readonly apgd: string;
  readonly trust: 'ok' | 'suspect' | 'invalid';
  readonly findings: readonly string[];
  /** Of the deployed model only. */
  readonly routing?: readonly RoutingRecord[];
  readonly examples?: readonly ExampleImage[];
}

export interface Results {
  readonly preset: string;
  readonly config: Config;
  readonly data: { readonly name: string; readonly classNames: readonly string[]; readonly inputShape: readonly number[] };
  readonly provenance: Provenance & { readonly engine: string };
  readonly training: readonly TrainingRecord[];
  readonly paths: readonly PathRecord[];
  readonly findings: readonly string[];
}
