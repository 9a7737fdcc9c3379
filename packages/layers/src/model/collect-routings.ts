import type { Routing } from '@moe/core';
import { type Scalar, type Tensor2D, dispose, keep } from '@tensorflow/tfjs-core';
import type { MoeCall } from '../layers/call-arguments.js';

export type RoutingTensors = [gateLogits: Tensor2D, gates: Tensor2D, combineWeights: Tensor2D, auxLoss: Scalar];

export const routingTensors = ({ gateLogits, gates, combineWeights, auxLoss }: Routing): RoutingTensors => [gateLogits, gates, combineWeights, auxLoss];

/** Holds what the MoE layers report during one pass, until `release`. */
export function collectRoutings(): Pick<MoeCall, 'collect' | 'previous'> & { readonly collected: readonly Routing[]; readonly release: () => void } {
  const collected: Routing[] = [];
  return {
    collected,
    collect: (routing) => {
      // The layers' own scopes end before the pass does.
      routingTensors(routing).forEach(keep);
      collected.push(routing);
    },
    previous: (rows) => {
      const last = collected.at(-1)?.combineWeights;
      return last?.shape[0] === rows ? last : undefined;
    },
    release: () => dispose(collected.map(routingTensors)),
  };
}
