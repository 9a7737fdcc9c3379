// Attacks within [0, 1]: PGD and AutoPGD, and those that see routing.
import { type Evaluation, apgd, auxiliaryLoss, detachedGates, evaluate, expertTargeted, frozenRoutes, pgd, relaxedGates, twoPhase } from '@moe/attacks';
import { fileState } from '@moe/attacks/node';
import type { Attack, Dataset } from '@moe/core';
import type { Model } from './model.js';
import type { Config } from './protocol.js';
import type { RoutingAttackRecord, StandardRecord } from './records.js';

interface Options {
  readonly config: Config;
  /** Where an interrupted evaluation continues from. */
  readonly state: string;
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number, text: string) => void;
}

function attackAll(model: Model, data: Dataset, attacks: readonly Attack[], limit: number, { config, state, signal, onProgress }: Options): Promise<Evaluation> {
  return evaluate({
    model: model.logits,
    modelId: config.row.name,
    data,
    attacks,
    seed: config.seed,
    batchSize: 100,
    limit,
    state: fileState(state),
    signal,
    onEvent: ({ done, total, attack }) => onProgress(Math.min(1, done / total), `attack ${config.row.name}: ${attack ?? 'clean'}`),
  });
}

/** PGD with a random start and AutoPGD, at one radius. */
export async function standardAttacks(model: Model, data: Dataset, eps: number, options: Options): Promise<StandardRecord> {
  const { pgdSteps, apgdSteps } = options.config.attacks;
  const attacks = [pgd({ eps, steps: pgdSteps }), apgd({ eps, steps: apgdSteps })] as const;
  const { flags, trust, findings } = await attackAll(model, data, attacks, data.length, options);
  return { eps, pgd: flags.robust[attacks[0].name]!, apgd: flags.robust[attacks[1].name]!, trust, findings: findings.map(({ message }) => message) };
}

/** The attack that knows no routing beside those that do: gates relaxed, led through other experts, the balance losses raised, gates or routes held still. */
export async function routingAttacks(model: Model, data: Dataset, options: Options): Promise<RoutingAttackRecord> {
  const { eps, images, steps } = options.config.attacks.routing;
  const attacks = [
    apgd({ eps, steps: 2 * steps }),
    relaxedGates({ eps, steps: 2 * steps }),
    twoPhase({ eps, steps }),
    expertTargeted({ eps, steps, starts: ['clean'], experts: 2 }),
    auxiliaryLoss({ eps, steps }),
    detachedGates({ eps, steps: 2 * steps }),
    frozenRoutes({ eps, steps }),
  ];
  const { flags } = await attackAll(model, data, attacks, images, options);
  return { eps, images, robust: flags.robust };
}
