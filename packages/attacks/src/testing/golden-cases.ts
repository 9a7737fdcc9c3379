// Shapes: B batch, D numbers of one example.
import { type Attack, createRng } from '@moe/core';
import { tensor1d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { apgd } from '../apgd.js';
import { apgdTargeted } from '../apgd-targeted.js';
import { hopSkipJump } from '../black-box/hop-skip-jump.js';
import { fab } from '../fab/fab.js';
import { fabTargeted } from '../fab/fab-targeted.js';
import { fgsm } from '../fgsm.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { ddn } from '../minimum-norm/ddn.js';
import { deepFool } from '../minimum-norm/deep-fool.js';
import { fmn } from '../minimum-norm/fmn.js';
import { expertTargeted } from '../moe/expert-targeted.js';
import { relaxedGates } from '../moe/relaxed-gates.js';
import { mifgsm } from '../momentum/mifgsm.js';
import { noise } from '../noise.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { counted, predictions, tinyNet } from './models.js';
import { asMoe } from './moe-models.js';

/** What an attack did to each example, `[B]`, and what it cost. */
export interface GoldenOutcome {
  readonly success: readonly number[];
  /** Of the returned input, `max_{j≠y} z_j - z_y`. */
  readonly margins: readonly number[];
  /** Of the returned input from the clean one, in the attack's norm. */
  readonly distances: readonly number[];
  /** Passes over the model. */
  readonly forward: number;
  readonly backward: number;
}

const [ROWS, CLASSES] = [8, 4];
const SHAPE = [3, 4, 1] as const;
const SIZE = 12;
const net = tinyNet(SIZE, CLASSES, 17);

const inNorm = (norm: AttackNorm, eps: number): Attack[] => {
  const [ball, label] = [{ eps, norm, label: norm }, norm];
  return [
    pgd({ ...ball, steps: 8, restarts: 2 }),
    apgd({ ...ball, steps: 12, restarts: 2, loss: 'dlr' }),
    apgd({ ...ball, steps: 12, variant: 'autoattack', label: `${label} as AutoAttack` }),
    apgdTargeted({ ...ball, steps: 8 }),
    fab({ ...ball, steps: 6, restarts: 2 }),
    fabTargeted({ norm, label: `${label} nearest`, steps: 6 }),
    square({ ...ball, queries: 40 }),
    deepFool({ norm, label }),
    fmn({ norm, label, steps: 20 }),
  ];
};

/** One of each, small: their draws and steps depend on the seed alone. */
const goldenAttacks = (): readonly Attack[] => [
  ...inNorm('Linf', 0.06),
  ...inNorm('L2', 0.16),
  ...inNorm('L1', 0.4),
  fgsm({ eps: 0.06, start: 'uniform' }),
  mifgsm({ eps: 0.06, steps: 6, nesterov: true, diversity: 0.7, translation: 3 }),
  noise({ eps: 0.06, queries: 10 }),
  ddn({ steps: 20 }),
  hopSkipJump({ queries: 400 }),
  relaxedGates({ eps: 0.06, steps: 8 }),
  expertTargeted({ eps: 0.06, steps: 6, routeSteps: 6 }),
];

/** Runs every attack on a small network whose two equal experts a router chooses between. */
export function goldenOutcomes(): Readonly<Record<string, GoldenOutcome>> {
  const images = createRng(29).uniform(ROWS * SIZE);
  const row = (values: Float32Array, i: number): Float32Array => values.subarray(i * SIZE, (i + 1) * SIZE);
  const outcome = (attack: Attack): GoldenOutcome => {
    const { counts, wrapped } = counted(net);
    const { norm = 'Linf' } = attack.options as { norm?: AttackNorm };
    return tidy(() => {
      const x = tensor4d(images.slice(), [ROWS, ...SHAPE]);
      const labels = predictions(net, x);
      const found = attack.perturb(asMoe(wrapped, SIZE), x, tensor1d(labels, 'int32'), { rng: createRng(1) });
      const points = found.adversarial.dataSync() as Float32Array;
      const logits = net(found.adversarial).dataSync();
      const margins = Array.from(labels, (label, i) => {
        const scores = Array.from(logits.subarray(i * CLASSES, (i + 1) * CLASSES));
        return Math.max(...scores.filter((_, j) => j !== label)) - scores[label]!;
      });
      const distances = Array.from(labels, (_, i) => GEOMETRIES[norm].distance(row(points, i), row(images, i)));
      return { success: Array.from(found.success.dataSync()), margins, distances, forward: counts.forward, backward: counts.backward };
    });
  };
  return Object.fromEntries(goldenAttacks().map((attack) => [attack.name, outcome(attack)]));
}
