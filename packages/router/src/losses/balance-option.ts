// Shapes: T tokens, E experts.
import { expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type Scalar, type Tensor2D, add, mul, scalar, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import type { RouteContext } from '../types.js';
import type { BalanceLoss } from './balance-loss.js';
import { type BalanceLossName, balanceLosses } from './registry.js';

/** A loss with its weight. */
export interface WeightedBalance {
  readonly loss: BalanceLossName | BalanceLoss;
  /** Factor of the loss, ≥ 0. */
  readonly weight: number;
}

/** The balance losses of a router: one or several, by name or as functions; a loss alone has weight 1. */
export type BalanceOption = BalanceLossName | BalanceLoss | WeightedBalance | readonly (BalanceLossName | BalanceLoss | WeightedBalance)[];

/** Balance losses, checked and looked up. */
export type Balance = readonly { readonly loss: BalanceLoss; readonly weight: number }[];

/** Checks the option `balance` of the router `caller`. */
export function resolveBalance(caller: string, option: BalanceOption | undefined): Balance {
  if (option === undefined) return [];
  const all = Array.isArray(option) ? (option as readonly (BalanceLossName | BalanceLoss | WeightedBalance)[]) : [option as BalanceLossName | BalanceLoss | WeightedBalance];
  return all.map((entry) => {
    const { loss, weight } = typeof entry === 'object' ? entry : { loss: entry, weight: 1 };
    if (typeof entry === 'object') expectKnownKeys(`${caller}.balance`, entry, ['loss', 'weight']);
    expectNumber(caller, 'balance.weight', weight, 0);
    if (typeof loss === 'function') return { loss, weight };
    expectOneOf(caller, 'balance.loss', loss, Object.keys(balanceLosses) as BalanceLossName[]);
    return { loss: balanceLosses[loss], weight };
  });
}

/** The option as JSON, under the registered names, which survive minification; a caller's own loss goes by its function name. */
export function balanceJson(balance: Balance): { readonly balance?: readonly { readonly loss: string; readonly weight: number }[] } {
  if (balance.length === 0) return {};
  const nameOf = (loss: BalanceLoss): string => Object.entries(balanceLosses).find(([, known]) => known === loss)?.[0] ?? loss.name;
  return { balance: balance.map(({ loss, weight }) => ({ loss: nameOf(loss), weight })) };
}

/** What the losses of one `route` see. */
export interface BalanceInputs {
  readonly gateLogits: Tensor2D;
  readonly gates: Tensor2D;
  readonly combineWeights: Tensor2D;
  /** One-hot of each token's first choice, `[T,E]`. */
  readonly firstChoice: Tensor2D;
}

/** Weighted sum of the losses over the tokens that count; the caller disposes it. */
export function balanceTotal(balance: Balance, { gateLogits, gates, combineWeights, firstChoice }: BalanceInputs, { mask }: Pick<RouteContext, 'mask'>): Scalar {
  return tidy(() => {
    const options = { logits: gateLogits, combineWeights, ...(mask !== undefined && { mask: tensor1d(mask.map(Number)) }) };
    return balance.reduce<Scalar>((total, { loss, weight }) => add(total, mul(loss(gates, firstChoice, options), weight)), scalar(0));
  });
}

/** 1 at the expert of each choice, `[T,E]`; -1 stands for none. */
export function maskOfChoices(choices: Int32Array, choicesPerRow: number, numExperts: number): Tensor2D {
  expectArgument('maskOfChoices', 'choices', choices.length % choicesPerRow === 0, `have a multiple of ${choicesPerRow} entries`, choices.length);
  const numTokens = choices.length / choicesPerRow;
  const mask = new Float32Array(numTokens * numExperts);
  choices.forEach((expert, i) => {
    if (expert >= 0) mask[Math.floor(i / choicesPerRow) * numExperts + expert] = 1;
  });
  return tensor2d(mask, [numTokens, numExperts]);
}
