// Every router gives the same plan, outputs and gradients on every engine.
import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import { createRng } from '@moe/core';
import {
  type GateNetwork,
  type RouteContext,
  type Router,
  acRouter,
  baseRouter,
  constrainedRouter,
  convFc,
  convGap,
  cosineGate,
  dispatch,
  doubleConvGap,
  equalGate,
  expertChoiceRouter,
  firstChannelsGate,
  fixedRandomGate,
  gapFc,
  gateFromConfig,
  gshardRouter,
  hashRouter,
  noisyTopKRouter,
  patchChoiceRouter,
  pathwayRouter,
  prototypeGate,
  randomRouter,
  reluRouter,
  roundRobinRouter,
  routerFromConfig,
  sigmoidRouter,
  sinkhornRouter,
  softMoeRouter,
  softTopKRouter,
  softmaxRouter,
  sparseTransportRouter,
  sparsemaxRouter,
  stMoeRouter,
  switchRouter,
  topKRouter,
  vMoeRouter,
  voronoiRouter,
} from '@moe/router';
import { type Tensor, mul, square, sum, tensor, tidy, valueAndGrad } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

const numExperts = 4;
const gate = gapFc({ bias: false });
const balance = ['switchLoss', 'importanceLoss', 'zLoss'] as const;
const ROUTERS: readonly Router[] = [
  acRouter({ numExperts, gate, balance }),
  baseRouter({ numExperts, gate, balance }),
  constrainedRouter({ router: topKRouter({ numExperts, topK: 2, gate }), importance: 'relative' }),
  expertChoiceRouter({ numExperts, gate, balance, capacityFactor: 2 }),
  gshardRouter({ numExperts, gate, balance }),
  hashRouter({ numExperts, by: 'row' }),
  noisyTopKRouter({ numExperts, gate, balance, loadWeight: 0.1 }),
  patchChoiceRouter({ numExperts, gate, balance, patches: 2 }),
  pathwayRouter({ numExperts, gate, balance }),
  randomRouter({ numExperts, by: 'row' }),
  reluRouter({ numExperts, gate, balance, sparsityWeight: 0.1 }),
  roundRobinRouter({ numExperts, by: 'row' }),
  sigmoidRouter({ numExperts, gate, balance }),
  sinkhornRouter({ numExperts, gate, balance }),
  softMoeRouter({ numExperts }),
  softTopKRouter({ numExperts, topK: 2, gate, balance }),
  softmaxRouter({ numExperts, gate, balance }),
  sparseTransportRouter({ numExperts, gate, balance }),
  sparsemaxRouter({ numExperts, gate, balance }),
  stMoeRouter({ numExperts, gate, balance }),
  switchRouter({ numExperts, gate, balance }),
  topKRouter({ numExperts, gate, balance, noiseStd: 0.1, capacityFactor: 1.5 }),
  vMoeRouter({ numExperts, topK: 2, gate, balance, loadWeight: 0.1, capacity: { factor: 1.5 } }),
  voronoiRouter({ prototypes: [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, -1, 0, 1]], branching: 2 }),
];
const GATES: readonly GateNetwork[] = [
  convFc({ features: 6 }),
  convGap(),
  cosineGate({ dimension: 6 }),
  doubleConvGap(),
  equalGate({ numExperts }),
  firstChannelsGate({ numExperts }),
  fixedRandomGate(),
  gapFc(),
  prototypeGate(),
];

/** What a layer of two linear experts each would give and be trained by, read from the engine in use. */
function measure(router: Router, rowShape: readonly number[], context: RouteContext): readonly number[][] {
  return tidy(() => {
    const weights = Object.fromEntries(Object.entries(router.init(rowShape, createRng(1))).map(([name, { value }]) => [name, value]));
    const rows = tensor(createRng(2).normal(24 * rowShape.reduce((a, b) => a * b, 1)), [24, ...rowShape]);
    const experts = Array.from({ length: numExperts }, (_, expert) => (x: Tensor) => mul(x, expert - 1.5));
    const plan = router.route(weights, rows, context);
    const { value, grad } = valueAndGrad((x: Tensor) => sum(square(dispatch(router.route(weights, x, context), x, experts))))(rows);
    return [plan.combineWeights, plan.gates, plan.auxLoss, value, grad, ...Object.values(plan.updates ?? {})].map((result) => Array.from(result.dataSync()));
  });
}

/** Largest difference, in units of the largest number. */
const distance = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / Math.max(1, ...b.map(Math.abs));

const engines = ['wasm', ...(findTensorflow() === undefined ? [] : ['tensorflow' as const])] as const;
const known = (look: () => unknown): readonly string[] => {
  try {
    look();
  } catch (error) {
    return /be one of ([^.]+), got/.exec((error as Error).message)![1]!.split(', ').sort();
  }
  throw new Error('a name that nothing has was found');
};

describe.each(engines)('%s', (engine) => {
  it.each([
    ...ROUTERS.map((router) => [router.name, router, [5]] as const),
    ...GATES.map((each) => [`softmaxRouter with ${each.name}`, softmaxRouter({ numExperts, gate: each, balance }), [5, 4, 5]] as const),
  ])('decides as cpu does: %s', async (_, router, rowShape) => {
    for (const context of [{ training: false, rowsPerExample: 6 }, { training: true, rowsPerExample: 6, rng: createRng(3) }]) {
      await useBackend('cpu');
      const expected = measure(router, rowShape, context);
      await useBackend(engine);
      measure(router, rowShape, context).forEach((values, i) => expect(distance(values, expected[i]!), `result ${i}`).toBeLessThan(1e-5));
    }
  });
});

it('leaves no router and no gate out', () => {
  expect(ROUTERS.map(({ name }) => name).sort()).toEqual(known(() => routerFromConfig({ name: '', options: {} })));
  expect(GATES.map(({ name }) => name).sort()).toEqual(known(() => gateFromConfig({ name: '', options: {} })));
});
