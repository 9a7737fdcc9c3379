import { describe, expect, it } from 'vitest';
import { convGap } from './gates/conv-gap.js';
import { convFc } from './gates/conv-fc.js';
import { doubleConvGap } from './gates/double-conv-gap.js';
import { firstChannelsGate } from './gates/first-channels-gate.js';
import { prototypeGate } from './gates/prototype-gate.js';
import { gapFc } from './gates/gap-fc.js';
import { identityGate } from './internal/testing-fixtures.js';
import { entropyLoss } from './losses/entropy-loss.js';
import { type NamedConfig, routerFromConfig } from './router-from-config.js';
import { constrainedRouter } from './routers/constrained-router.js';
import { sigmoidRouter } from './routers/sigmoid-router.js';
import { sinkhornRouter } from './routers/sinkhorn-router.js';
import { softMoeRouter } from './routers/soft-moe-router.js';
import { switchRouter } from './routers/switch-router.js';
import { topKRouter } from './routers/top-k-router.js';
import { voronoiRouter } from './routers/voronoi-router.js';
import type { Router } from './types.js';

const throughJson = ({ name, options }: Router): NamedConfig => JSON.parse(JSON.stringify({ name, options })) as NamedConfig;

describe('routerFromConfig', () => {
  it.each([
    topKRouter({ numExperts: 4, gate: gapFc() }),
    topKRouter({ numExperts: 4, topK: 2, gate: convGap({ kernel: 1 }), balance: { loss: 'switchLoss', weight: 0.5 }, noiseStd: 0.1, capacityFactor: 1.5 }),
    topKRouter({ numExperts: 2, topK: 1, gate: convGap(), balance: entropyLoss, straightThrough: false, normalise: 'none' }),
    constrainedRouter({ router: sigmoidRouter({ numExperts: 4, gate: firstChannelsGate({ numExperts: 4 }), balance: ['zLoss', { loss: 'importanceLoss', weight: 2 }] }), importance: 'mean' }),
    switchRouter({ numExperts: 3, gate: convFc({ features: 4 }), capacity: { factor: 1.25, evaluationFactor: 2, multipleOf: 4 } }),
    sinkhornRouter({ numExperts: 3, gate: prototypeGate({ prototypes: [[1], [2], [3]] }), choice: 'expert' }),
    softMoeRouter({ numExperts: 4, slotsPerExpert: 2 }),
    voronoiRouter({ prototypes: [[0, 1], [1, 0], [2, 2]], branching: 2 }),
    switchRouter({ numExperts: 2, gate: doubleConvGap({ kernel: 3, features: 4 }) }),
  ])('remakes a router from its JSON', (router) => {
    const copy = routerFromConfig(throughJson(router));
    expect(copy.options).toEqual(router.options);
    expect({ ...copy, init: 0, route: 0 }).toEqual({ ...router, init: 0, route: 0 });
  });

  it('finds the parts that the caller brings', () => {
    const myLoss: typeof entropyLoss = (...args) => entropyLoss(...args);
    const router = topKRouter({ numExperts: 2, gate: identityGate, balance: { loss: myLoss, weight: 2 } });
    const registry = { gates: { identityGate: () => identityGate }, losses: { myLoss } };
    expect(routerFromConfig(throughJson(router), registry).options).toEqual(router.options);
    expect(() => routerFromConfig(throughJson(router), { losses: { myLoss } })).toThrow("routerFromConfig: gate.name must be one of convFc, convGap, cosineGate, doubleConvGap, equalGate, firstChannelsGate, fixedRandomGate, gapFc, prototypeGate, got 'identityGate'. Pass your own in the registry.");
    expect(() => routerFromConfig(throughJson(router), { gates: registry.gates })).toThrow('routerFromConfig: balance.loss must be one of');
  });

  it('refuses names and options that it does not know', () => {
    expect(() => routerFromConfig({ name: 'constructor', options: {} })).toThrow("routerFromConfig: name must be one of constrainedRouter, acRouter,");
    const gate = { name: 'gapFc', options: { kernel: 3 } };
    expect(() => routerFromConfig({ name: 'topKRouter', options: { numExperts: 2, gate } })).toThrow("gapFc: unknown option 'kernel'.");
  });
});
