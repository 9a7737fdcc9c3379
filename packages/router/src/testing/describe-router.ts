// Shapes: T rows, E experts.
import { type Rng, createRng } from '@moe/core';
import { type Tensor, type Tensor1D, type Tensor2D, add, cast, dispose, gather, grads, memory, mul, reshape, slice, sum, tensor, tensor1d, tidy, where } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { dispatch } from '../dispatch/dispatch.js';
import { planTensors } from '../plans/build-plan.js';
import type { ExpertFn, InitialWeights, Plan, RouteContext, Router, Weights } from '../types.js';

/** What a router promises beyond its static facts. */
export interface RouterTraits {
  /** Shape of one input row. @defaultValue [4, 4, 3] */
  readonly rowShape?: readonly number[];
  /** Values of K to try with four experts. @defaultValue [1, 2] */
  readonly topK?: readonly number[];
  /** Whether every row's combine weights sum to 1. @defaultValue true */
  readonly weightsSumToOne?: boolean;
  /** Whether K = E gives the mixture of all experts, weighted by the gates. @defaultValue true */
  readonly mixtureAtFullK?: boolean;
  /** Rows of one example; 24 rows are routed in all. @defaultValue 1 */
  readonly rowsPerExample?: number;
  /** Whether every row gets K experts, less what capacity drops. @defaultValue true */
  readonly fixedChoices?: boolean;
  /** Whether a row's position in its example plays a role, as for a router that hashes it. @defaultValue false */
  readonly positional?: boolean;
  /** Whether experts are interchangeable, which a fixed map from rows to experts is not. @defaultValue true */
  readonly symmetricExperts?: boolean;
  /** Whether it can decide without reading from the device. @defaultValue false, and it must refuse */
  readonly onDevice?: boolean;
  /** Weights that evaluation does not use, such as those of learned noise. @defaultValue none */
  readonly trainingOnly?: readonly string[];
  /** Whether an only expert has weight 1. @defaultValue true */
  readonly unitAlone?: boolean;
  /** Rows that an expert takes at most in training, for 24 rows, four experts and the K given. @defaultValue no limit */
  readonly capacity?: (topK: number) => number;
}

const NUM_ROWS = 24;
const NUM_EXPERTS = 4;

function close(actual: Tensor, expected: Tensor, what: string): void {
  expect(actual.shape, `shape of ${what}`).toEqual(expected.shape);
  const wanted = Array.from(expected.dataSync());
  // Math.max passes NaN on, and NaN is not less than anything.
  const worst = Math.max(...Array.from(actual.dataSync(), (value, i) => Math.abs(value - wanted[i]!)));
  expect(worst, `largest difference of ${what}`).toBeLessThan(1e-5);
}

/** Rows of each expert; for a soft plan, experts that no row reaches have 0. */
function loads(plan: Plan): number[] {
  if (plan.kind !== 'sparse') return Array.from(sum(plan.combineWeights, 0).dataSync());
  const { expertOffsets } = plan.assignment;
  return Array.from(expertOffsets.slice(1), (end, expert) => end - expertOffsets[expert]!);
}

/** Rows in the order of their examples, which keep their rows together. */
const rowOrder = (examples: ArrayLike<number>, rowsPerExample: number): number[] =>
  Array.from(examples).flatMap((example) => Array.from({ length: rowsPerExample }, (_, row) => example * rowsPerExample + row));

/** The weights that an optimiser moves, and the others. */
function split(initial: InitialWeights): { trainable: Record<string, Tensor>; fixed: Weights } {
  const values = (wanted: boolean): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(initial).flatMap(([key, { value, trainable }]) => (trainable === wanted ? [[key, value] as const] : [])));
  return { trainable: values(true), fixed: values(false) };
}

/** Experts that no two rows or experts could be confused under: f_e(x) = (e + 1) · x + e. */
const affineExperts = (count: number): ExpertFn[] => Array.from({ length: count }, (_, expert) => (rows) => add(mul(rows, expert + 1), expert));

/**
 * Declares the tests that every router must pass, with vitest.
 *
 * @remarks
 * Checks the shape of a plan and its host side, permutation of rows, batch invariance where declared, relabelling of experts (weights whose last axis
 * has length E are permuted), gradient to the gate where declared, allowed experts, token masks, capacity where stated, state, decisions on the
 * device, one expert, all experts, determinism, JSON options and tensor leaks. The test file sets up the engine.
 *
 * @param name       - heading of the tests.
 * @param makeRouter - makes the router under test for any number of experts and choices.
 * @param traits     - see {@link RouterTraits}.
 *
 * @example
 * describeRouter('my router', (numExperts, topK) => myRouter({ numExperts, topK }), { weightsSumToOne: false });
 */
export function describeRouter(name: string, makeRouter: (numExperts: number, topK: number) => Router, traits: RouterTraits = {}): void {
  const { rowShape = [4, 4, 3], topK: choices = [1, 2], weightsSumToOne = true, mixtureAtFullK = true, capacity } = traits;
  const { rowsPerExample = 1, fixedChoices = true, positional = false, symmetricExperts = true, onDevice = false, trainingOnly = [], unitAlone = true } = traits;
  const evaluation: RouteContext = { training: false, rowsPerExample };
  const rng = createRng(20);
  const makeRows = (): Tensor => {
    const size = rowShape.reduce((product, side) => product * side, NUM_ROWS);
    return tensor(rng.stream('rows').normal(size), [NUM_ROWS, ...rowShape]);
  };
  const initialise = (router: Router, from: Rng = rng): Weights =>
    Object.fromEntries(Object.entries(router.init(rowShape, from.stream('init'))).map(([key, { value }]) => [key, value]));
  const train = (extra: Partial<RouteContext> = {}): RouteContext => ({ ...evaluation, training: true, rng: createRng(21), ...extra });
  const relaxedGate: RouteContext = { ...evaluation, gate: { temperature: 1 } };

  describe.each(choices)(`${name}, k = %i`, (topK) => {
    const router = makeRouter(NUM_EXPERTS, topK);

    it('states its facts, and options that survive JSON', () => {
      expect([router.numExperts, router.topK]).toEqual([NUM_EXPERTS, topK]);
      expect(JSON.parse(JSON.stringify(router.options))).toEqual(router.options);
    });

    it('starts from the same weights for the same seed', () => {
      tidy(() => {
        const again = initialise(router);
        for (const [key, value] of Object.entries(initialise(router))) close(value, again[key]!, key);
      });
    });

    it.each([['evaluation', evaluation], ['training', train()]] as const)('makes a consistent plan in %s', (_, context) => {
      tidy(() => {
        const plan = router.route(initialise(router), makeRows(), context);
        const { combineWeights, droppedFraction, gates, gateLogits } = plan;
        for (const matrix of [combineWeights, gates, gateLogits]) expect(matrix.shape).toEqual([NUM_ROWS, NUM_EXPERTS]);
        expect(plan.auxLoss.shape).toEqual([]);
        const weights = combineWeights.arraySync();
        for (const weight of weights.flat()) expect(weight).toBeGreaterThanOrEqual(0);
        if (plan.kind === 'sparse') {
          const { assignment } = plan;
          expect([assignment.numTokens, assignment.numExperts]).toEqual([NUM_ROWS, NUM_EXPERTS]);
          if (fixedChoices) expect(assignment.tokenOfSlot.length).toBe(Math.round(NUM_ROWS * topK * (1 - droppedFraction)));
          expect([assignment.expertOffsets[0], assignment.expertOffsets[NUM_EXPERTS]]).toEqual([0, assignment.tokenOfSlot.length]);
          weights.forEach((row, token) =>
            row.forEach((weight, expert) => {
              const slots = assignment.tokenOfSlot.slice(assignment.expertOffsets[expert], assignment.expertOffsets[expert + 1]);
              if (weight > 0) expect(slots, `rows of expert ${expert}`).toContain(token);
            }),
          );
        }
        if (weightsSumToOne) close(sum(combineWeights, 1), tensor1d(new Array<number>(NUM_ROWS).fill(1)), 'row sums');
      });
    });

    it('treats examples alike, wherever they stand in the batch', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const order = tensor1d(rowOrder(rng.stream('order').permutation(NUM_ROWS / rowsPerExample), rowsPerExample), 'int32');
        const moved = router.route(weights, gather(rows, order), evaluation).combineWeights;
        close(moved, gather(router.route(weights, rows, evaluation).combineWeights, order) as Tensor, 'combineWeights');
      });
    });

    it.runIf(rowsPerExample > 1 && !positional)('treats the rows of an example alike, wherever they stand in it', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const reversed = tensor1d(Array.from({ length: NUM_ROWS }, (_, row) => row - (row % rowsPerExample) + rowsPerExample - 1 - (row % rowsPerExample)), 'int32');
        const moved = router.route(weights, gather(rows, reversed), evaluation).combineWeights;
        close(moved, gather(router.route(weights, rows, evaluation).combineWeights, reversed) as Tensor, 'combineWeights');
      });
    });

    it.runIf(router.batchInvariant)('routes an example the same without the rest of the batch', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const whole = router.route(weights, rows, evaluation).combineWeights;
        for (const row of [0, NUM_ROWS / rowsPerExample >> 1, NUM_ROWS / rowsPerExample - 1]) {
          const at = row * rowsPerExample;
          close(router.route(weights, slice(rows, at, rowsPerExample), evaluation).combineWeights, slice(whole, at, rowsPerExample), `example ${row}`);
        }
      });
    });

    it('gives tokens that do not count no expert, and leaves the others as they are', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const mask = Array.from({ length: NUM_ROWS }, (_, row) => row % 3 !== 1);
        for (const context of [evaluation, train(), relaxedGate]) {
          const plan = router.route(weights, rows, { ...context, mask });
          const combine = plan.combineWeights.arraySync();
          for (const [row, counts] of mask.entries()) if (!counts) expect(combine[row]?.some((weight) => weight !== 0), `weights of row ${row}`).toBe(false);
          if (plan.kind === 'sparse') expect(Array.from(plan.assignment.tokenOfSlot).filter((row) => !mask[row]), 'rows that run').toEqual([]);
        }
        // What stands in a token that does not count plays no role for the others, nor for losses and state.
        const column = tensor(mask.map(Number), [NUM_ROWS, 1]);
        const other = reshape(where(cast(column, 'bool'), reshape(rows, [NUM_ROWS, -1]), 7), rows.shape);
        for (const context of [evaluation, train()]) {
          const [plan, changed] = [rows, other].map((inputs) => router.route(weights, inputs, { ...context, mask })) as [Plan, Plan];
          close(changed.combineWeights, plan.combineWeights, 'combineWeights');
          close(changed.auxLoss, plan.auxLoss, 'auxLoss');
          for (const [key, value] of Object.entries(plan.updates ?? {})) close(changed.updates![key]!, value, key);
        }
        if (!router.batchInvariant || rowsPerExample > 1) return;
        close(router.route(weights, rows, { ...evaluation, mask }).combineWeights, mul(router.route(weights, rows, evaluation).combineWeights, column), 'combineWeights');
      });
    });

    it('gives new values to weights that no optimiser moves, and to no others', () => {
      tidy(() => {
        const initial = router.init(rowShape, rng.stream('init'));
        const weights = Object.fromEntries(Object.entries(initial).map(([key, { value }]) => [key, value]));
        expect(router.route(weights, makeRows(), evaluation).updates).toBeUndefined();
        for (const [key, value] of Object.entries(router.route(weights, makeRows(), train()).updates ?? {})) {
          expect(initial[key]?.trainable, key).toBe(false);
          expect(value.shape, key).toEqual(weights[key]?.shape);
        }
      });
    });

    it(onDevice ? 'decides the same without a read from the device' : 'refuses to decide without a read from the device', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const route = (): Plan => router.route(weights, rows, { ...evaluation, onDevice: true });
        if (!onDevice) return void expect(route).toThrow('context.onDevice must be false');
        const plan = route();
        expect(plan.kind).not.toBe('sparse');
        close(plan.combineWeights, router.route(weights, rows, evaluation).combineWeights, 'combineWeights');
        const experts = affineExperts(NUM_EXPERTS);
        close(dispatch(plan, rows, experts), dispatch(router.route(weights, rows, evaluation), rows, experts), 'outputs');
      });
    });

    it.runIf(symmetricExperts)('does not depend on how experts are numbered', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const order = tensor1d([2, 0, 3, 1], 'int32');
        const relabelled = Object.fromEntries(
          Object.entries(weights).map(([key, value]) => [key, value.shape.at(-1) === NUM_EXPERTS ? gather(value, order, value.rank - 1) : value]),
        );
        const expected = gather(router.route(weights, rows, evaluation).combineWeights, order as Tensor1D, 1);
        close(router.route(relabelled, rows, evaluation).combineWeights, expected as Tensor, 'combineWeights');
      });
    });

    it.runIf(router.gradientPath !== 'none')('sends the gradient of the task loss to its weights', () => {
      tidy(() => {
        const { trainable, fixed } = split(router.init(rowShape, rng.stream('init')));
        const keys = Object.keys(trainable).filter((key) => !trainingOnly.includes(key));
        const rows = makeRows();
        const loss = (...values: Tensor[]): Tensor => {
          const weights = { ...fixed, ...trainable, ...Object.fromEntries(keys.map((key, i) => [key, values[i]!])) };
          return sum(dispatch(router.route(weights, rows, evaluation), rows, affineExperts(NUM_EXPERTS)));
        };
        const slopes = grads(loss)(keys.map((key) => trainable[key]!));
        slopes.forEach((slope, i) => expect(Math.hypot(...slope.dataSync()), `gradient of ${keys[i]}`).toBeGreaterThan(1e-4));
      });
    });

    it.each([['evaluation', evaluation], ['training', train()], ['a relaxed gate', relaxedGate]] as const)(
      'never chooses an expert that is not allowed, in %s',
      (_, context) => {
        tidy(() => {
          const plan = router.route(initialise(router), makeRows(), { ...context, allowed: [true, false, true, false] });
          const counts = loads(plan);
          expect([counts[1], counts[3]]).toEqual([0, 0]);
          for (const row of [...plan.combineWeights.arraySync(), ...plan.gates.arraySync()]) expect(Math.abs(row[1]!) + Math.abs(row[3]!)).toBe(0);
        });
      },
    );

    it('keeps the values of a hard gate when the gate is relaxed', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        const relaxed = router.route(weights, rows, { ...evaluation, gate: { temperature: 0.5 } });
        close(relaxed.combineWeights, router.route(weights, rows, evaluation).combineWeights, 'combineWeights');
      });
    });

    it.runIf(capacity !== undefined)('keeps every expert within capacity while training', () => {
      tidy(() => {
        const plan = router.route(initialise(router), makeRows(), train());
        expect(Math.max(...loads(plan))).toBeLessThanOrEqual(capacity!(topK));
      });
    });

    it('routes the same with the same seed', () => {
      tidy(() => {
        const weights = initialise(router);
        const rows = makeRows();
        close(router.route(weights, rows, train()).combineWeights, router.route(weights, rows, train()).combineWeights, 'combineWeights');
      });
    });

    it('keeps the tensors of its plan, and none when it throws', () => {
      const weights = initialise(router);
      const rows = makeRows();
      const before = memory().numTensors;
      for (const context of [evaluation, train(), relaxedGate]) {
        const plan = router.route(weights, rows, context);
        expect(memory().numTensors - before, 'tensors kept').toBe(planTensors(plan).length);
        dispose(planTensors(plan));
      }
      expect(() => router.route(weights, rows, { ...evaluation, allowed: [true] })).toThrow();
      expect(memory().numTensors - before, 'tensors kept after an error').toBe(0);
      dispose([rows, ...Object.values(weights)]);
    });
  });

  it.runIf(unitAlone)(`${name} with one expert is that expert`, () => {
    tidy(() => {
      const router = makeRouter(1, 1);
      const rows = makeRows();
      const plan = router.route(initialise(router), rows, evaluation);
      close(dispatch(plan, rows, [(x) => mul(x, 3)]), mul(rows, 3), 'outputs');
    });
  });

  it.runIf(mixtureAtFullK)(`${name} with k = E is the mixture of all experts`, () => {
    tidy(() => {
      const router = makeRouter(3, 3);
      const rows = makeRows();
      const plan = router.route(initialise(router), rows, evaluation);
      close(plan.combineWeights as Tensor2D, plan.gates, 'combineWeights');
      const experts = affineExperts(3);
      const column = (expert: number): Tensor => reshape(slice(plan.gates, [0, expert], [-1, 1]), [NUM_ROWS, ...rowShape.map(() => 1)]);
      const mixture = experts.map((expert, i) => mul(expert(rows), column(i))).reduce((total, next) => add(total, next));
      close(dispatch(plan, rows, experts), mixture, 'outputs');
    });
  });
}
