import type { TrainHistory } from '@moe/adv-train';
import type { LayerRoutingEvaluation } from '@moe/attacks';
import type { Provenance } from '@moe/experiments';
import type { Config, ModelName } from './schema.js';
import type { JobTime } from './times.js';
import type { RoutePath } from './jobs.js';
import type { LipschitzRecord } from './lipschitz.js';

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
  /** PGD without a random start, where it was asked for. */
  readonly pgdFromImage?: string;
  readonly trust: 'ok' | 'suspect' | 'invalid';
  readonly findings: readonly string[];
  /** Of the deployed model only. */
  readonly routing?: readonly RoutingRecord[];
  readonly examples?: readonly ExampleImage[];
}

/** One attack on the first so many of the images that every path was attacked on. */
export interface AuditedPath {
  readonly path: RoutePath;
  readonly attack: string;
  readonly images: number;
  /** Flags as in {@link PathRecord}. */
  readonly robust: string;
  readonly trust: PathRecord['trust'];
  readonly findings: readonly string[];
}

/** The strongest attacks, in `models/MODEL/audit.json`. */
export interface AuditRecord {
  readonly model: ModelName;
  /** AutoAttack on the deployed model and on the expert that withstood most, attacks on routing on the deployed model. */
  readonly attacks: readonly AuditedPath[];
  /** Of each MoE layer: whether routes can be flipped, how they change under attack, and each expert alone. */
  readonly layers: readonly LayerRoutingEvaluation[];
}

/** The paper's train-mode AutoPGD beside the same points scored in evaluation mode, in `models/MODEL/legacy.json`. */
export interface LegacyRecord {
  readonly model: ModelName;
  readonly images: number;
  readonly scores: readonly {
    readonly batchSize: number;
    /** Share right in evaluation mode, of the network as the batches scored before left it. */
    readonly evaluationMode: number;
    /** Share right in training mode: batch statistics, noisy gates, running statistics moved by every batch that is scored. */
    readonly trainingMode: number;
  }[];
}

/** What the gate of an MoE layer does with clean test images. */
export interface GateProbe {
  readonly layer: string;
  /** Images by gate probability in ten bins on [0, 1], for each expert. */
  readonly histogram: readonly (readonly number[])[];
  /** Share of the images that both experts serve, `[experts][experts]`. */
  readonly pairs: readonly (readonly number[])[];
  /** Scores of the first images, `[images][experts]`, and their labels. */
  readonly logits: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly sensitivity: readonly {
    readonly image: number;
    readonly label: number;
    readonly expert: number;
    /** What the gate gives the expert. */
    readonly gate: number;
    /** Of the map. */
    readonly max: number;
    /** How much each pixel moves the gate of the expert, |∂ ce(gate, expert) / ∂x| summed over channels, in 8 bits of its maximum as base64. */
    readonly map: string;
    /** Steps of PGD on the deployed model before it; none for the clean image. */
    readonly steps?: number;
  }[];
}

/** What a finished model does with clean test images, in `models/MODEL/probe.json`. */
export interface ProbeRecord {
  readonly model: ModelName;
  readonly images: number;
  /** `[class][predicted class]`. */
  readonly confusion: readonly (readonly number[])[];
  /** Share right with another number of experts per image, where the router allows it. */
  readonly byTopK: readonly { readonly topK: number; readonly accuracy: number }[];
  readonly gates: readonly GateProbe[];
}

export interface Results {
  readonly preset: string;
  readonly config: Config;
  readonly data: { readonly name: string; readonly classNames: readonly string[]; readonly inputShape: readonly number[] };
  readonly provenance: Provenance & { readonly engine: string; readonly times?: readonly JobTime[] };
  readonly training: readonly TrainingRecord[];
  readonly paths: readonly PathRecord[];
  readonly audits: readonly AuditRecord[];
  readonly legacy: readonly LegacyRecord[];
  readonly probes: readonly ProbeRecord[];
  readonly findings: readonly string[];
}
