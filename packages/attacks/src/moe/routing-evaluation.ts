import type { Interval } from '@moe/core';
import type { CleanResult, RobustResult } from '../evaluate/evaluation.js';
import type { AttackNorm } from '../geometry/geometry.js';

/** What is known of one expert. */
export interface ExpertEvaluation {
  /** Share of the examples with a token that chooses it, in `[0, 1]`. */
  readonly chosen: number;
  /** Share of the examples that choose it somewhere within `eps`: how freely an attacker picks it. */
  readonly reachable: number;
  /** RA-E: the model with this expert alone in the layer, attacked as such. */
  readonly alone: RobustResult;
}

/** What is known of one layer. */
export interface LayerRoutingEvaluation {
  readonly layer: string;
  /** RA-R: examples whose route changes nowhere within `eps`, whatever the prediction. */
  readonly stable: { readonly examples: number; readonly share: number; readonly interval: Interval };
  /** Distance to the nearest flip of the median example; null where it has none. */
  readonly medianFlipDistance: number | null;
  /** Share of the examples that another set of experts sees at the input that `expertAttack` found. */
  readonly flipRate: number;
  /** Mean overlap |A∩B| / |A∪B| of the tokens' experts before and after it; V-MoE's measure, tokens without any expert left out. */
  readonly expertIou: number;
  readonly experts: readonly ExpertEvaluation[];
}

/** Outcome of {@link evaluateRouting}; plain JSON. */
export interface RoutingEvaluation {
  readonly schema: 'moe.routing-evaluation/1';
  readonly eps: number;
  readonly norm: AttackNorm;
  readonly seed: number;
  readonly examples: number;
  readonly clean: CleanResult;
  /** RA: examples that neither attack fooled. */
  readonly worstCase: RobustResult;
  /** Examples that the attack without knowledge of routing left standing. */
  readonly standard: RobustResult;
  /** RA-joint: examples that the attacks on routing left standing. */
  readonly adaptive: RobustResult;
  /** `standard` minus `worstCase`, in `[0, 1]`: what routing hid from the standard attack. */
  readonly maskingGap: number;
  readonly layers: readonly LayerRoutingEvaluation[];
}
