import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { dispatch as runPlan, topKRouter } from '@moe/router';
import { type Tensor, dispose, grads, tidy } from '@tensorflow/tfjs-core';
import type { Benchmark, MeasuredRow } from '../benchmark.js';
import { type Task, interleave } from '../timing.js';
import { type Subject, convSubject, denseSubject, rowsOf } from './subjects.js';

const EXPERT_COUNTS = [4, 16];

/** Allowed time of an MoE layer with k = 1, in those of one expert over the same rows. */
interface Limits {
  readonly forward: number;
  readonly forwardBackward: number;
}

/** An MoE layer (gate, plan, dispatch, combine) against one expert over the same rows; both with the gradients of rows and all weights. */
async function* compare(subject: Subject, rounds: number, limits?: Limits): AsyncGenerator<MeasuredRow> {
  const rows = rowsOf(subject);
  const upstream = tidy(() => subject.run(subject.init(0), rows));
  const single = tasks((x, weights) => subject.run(weights, x), [rows, ...subject.init(0)], upstream);
  const layers = EXPERT_COUNTS.map((numExperts) => {
    const router = topKRouter({ numExperts, topK: 1, gate: subject.gate });
    const gate = Object.entries(router.init(subject.rowShape, createRng(2)));
    const experts = Array.from({ length: numExperts }, (_, expert) => subject.init(expert));
    const perExpert = experts[0]!.length;
    const layer = (x: Tensor, weights: Tensor[]): Tensor => {
      const gateWeights = Object.fromEntries(gate.map(([name], i) => [name, weights[i]!]));
      const plan = router.route(gateWeights, x, { training: false });
      const at = (expert: number): Tensor[] => weights.slice(gate.length + expert * perExpert, gate.length + (expert + 1) * perExpert);
      return runPlan(plan, x, experts.map((_, expert) => (part) => subject.run(at(expert), part)));
    };
    return tasks(layer, [rows, ...gate.map(([, { value }]) => value), ...experts.flat()], upstream);
  });

  const forward = interleave([single.forward, ...layers.map((layer) => layer.forward)], rounds);
  const both = interleave([single.forwardBackward, ...layers.map((layer) => layer.forwardBackward)], Math.ceil(rounds / 2));
  for (const [i, numExperts] of EXPERT_COUNTS.entries()) {
    const name = `wasm/${subject.name}/E=${numExperts}`;
    yield { name: `${name}/forward`, ours: forward[i + 1]!, theirs: forward[0]!, unit: 'ms', ...(limits && { limit: limits.forward }) };
    yield { name: `${name}/forward-backward`, ours: both[i + 1]!, theirs: both[0]!, unit: 'ms', ...(limits && { limit: limits.forwardBackward }) };
  }
  for (const { dispose: free } of [single, ...layers]) free();
  dispose([rows, upstream]);
}

function tasks(run: (rows: Tensor, weights: Tensor[]) => Tensor, [rows, ...weights]: [Tensor, ...Tensor[]], upstream: Tensor): { forward: Task; forwardBackward: Task; dispose: Task } {
  const gradient = grads((x: Tensor, ...w: Tensor[]) => run(x, w));
  return {
    forward: () => tidy(() => void run(rows, weights)),
    forwardBackward: () => tidy(() => void gradient([rows, ...weights], upstream)),
    dispose: () => dispose(weights),
  };
}

/** Grouped dispatch on wasm. */
const dispatch: Benchmark = async function* ({ quick }) {
  await useBackend('wasm');
  yield* compare(quick ? convSubject(256, 256) : convSubject(512, 512), quick ? 8 : 6, { forward: 1.3, forwardBackward: 1.6 });
  yield* compare(quick ? denseSubject(1024, 128, 512) : denseSubject(4096, 192, 768), quick ? 10 : 20);
};

export default dispatch;
