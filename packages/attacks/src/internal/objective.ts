// Shapes: B batch, M classes.
import { expectArgument, expectInteger, expectOneOf } from '@moe/core';
import { cwRow } from '../losses/cw-loss.js';
import { klRow } from '../losses/kl-loss.js';
import { type LossName, LOSSES } from '../losses/losses.js';
import type { RowLoss } from '../losses/row-loss.js';
import { goalRow } from '../losses/targeted-goal.js';
import { measure } from './measure.js';
import { type Problem, exampleRng } from './problem.js';
import { rankTargets } from './rank-targets.js';

/** A loss against the label, or `'kl'`: how far the distribution over the classes has moved from that of the clean input, whatever the label. */
export type AttackLoss = LossName | 'kl';

/** Of the wrong classes the one with the highest or lowest logit at the clean input, or any one, drawn for each example. */
export type TargetRule = 'runner-up' | 'least-likely' | 'random';

/** Class that each example is to be taken for: by a rule, or a list by example id. With `'none'` any wrong class will do. */
export type Target = 'none' | TargetRule | readonly number[];

const RULES: readonly string[] = ['none', 'runner-up', 'least-likely', 'random'];

export function expectObjective(caller: string, loss: AttackLoss, target: Target, compiled: boolean): void {
  expectOneOf(caller, 'loss', loss, [...(Object.keys(LOSSES) as LossName[]), 'kl']);
  if (Array.isArray(target)) target.forEach((aim: number, id) => expectInteger(caller, `target[${id}]`, aim, 0));
  else expectOneOf(caller, 'target', target as string, RULES);
  expectArgument(caller, 'target', target === 'none' || loss !== 'kl', "be 'none' with loss 'kl', which knows no classes", target);
  expectArgument(caller, 'target', target === 'none' || !compiled, "be 'none' with compile", target);
}

/** A problem with what its loss needs to know, and that loss. One forward pass more for a rule or `'kl'`. */
export interface Objective {
  readonly problem: Problem;
  readonly rowLoss: RowLoss;
}

/** @throws {@link ArgumentError} if a list of classes lacks an example or names its label. */
export function objectiveOf(problem: Problem, loss: AttackLoss, target: Target): Objective {
  const cleanLogits = (): Float32Array => {
    const rows = Array.from({ length: problem.rows }, (_, row) => row);
    return measure(problem, cwRow, problem.inputs, rows, false).logits;
  };
  if (loss === 'kl') {
    const logits = cleanLogits();
    return { problem: { ...problem, cleanLogits: logits }, rowLoss: klRow(logits) };
  }
  if (target === 'none') return { problem, rowLoss: LOSSES[loss] };
  const aims = typeof target === 'string' ? targetsByRule(problem, target, cleanLogits()) : givenTargets(problem, target);
  return { problem: { ...problem, targets: aims }, rowLoss: goalRow(loss, aims) };
}

function givenTargets({ caller, rows, labels, context }: Problem, aims: readonly number[]): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => {
    const id = context.exampleIds?.[row] ?? row;
    const target = aims[id];
    expectArgument(caller, 'target', target !== undefined, `list more than ${id} examples, one by each id`, aims.length);
    expectArgument(caller, `target[${id}]`, target !== labels[row], 'differ from the label', target);
    return target;
  });
}

function targetsByRule(problem: Problem, rule: TargetRule, logits: Float32Array): Int32Array {
  const ranks = rankTargets(logits, problem.labels, Infinity);
  return Int32Array.from({ length: problem.rows }, (_, row) => {
    const rank = rule === 'runner-up' ? 0 : rule === 'least-likely' ? ranks.length - 1 : exampleRng(problem, row, 0).stream('target').integers(1, ranks.length)[0]!;
    return ranks[rank]![row]!;
  });
}
