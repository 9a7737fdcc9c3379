// Our side of `pnpm bench train`: the same commands as pytorch/peer.py, one JSON object a line.
import { pgdAdversarial } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { jit, useBackend } from '@moe/backend';
import { describeTensorflow } from '@moe/backend/node';
import { createRng } from '@moe/core';
import { modelWeights, moeModel, resnet } from '@moe/layers';
import { gapFc, topKRouter } from '@moe/router';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { writeSubject } from '../pytorch/tensors.js';
import { steppedTraining } from '../pytorch/training.js';
import { serve, timed } from '../side.js';

const CLASSES = 10;
const ATTACK = { eps: 8 / 255, stepSize: 2 / 255, steps: 7 };

type Message =
  | { do: 'prepare'; subject: string; folder: string; threads: number }
  | { do: 'train'; steps: number }
  | { do: 'run' }
  | { do: 'peak' };

/** Reads `resnet18-w16-b128-block-moe`: width, batch, and experts in the last stage or none. */
function readName(name: string): { width: number; batch: number; routed: boolean } {
  const [, width, batch, routed] = /^resnet18-w(\d+)-b(\d+)(-block-moe)?$/.exec(name) ?? [];
  return { width: Number(width), batch: Number(batch), routed: routed !== undefined };
}

/** Takes one step of adversarial training at each call, and gives its loss. */
let step: (() => Promise<number>) | undefined;

async function prepare(subject: string, folder: string): Promise<void> {
  const { width, batch, routed } = readName(subject);
  const router = topKRouter({ numExperts: 4, topK: 1, gate: gapFc(), balance: { loss: 'entropyLoss', weight: 0.5 } });
  const network = resnet({ depth: 18, width, stem: 'cifar', classes: CLASSES, inputShape: [32, 32, 3], seed: 1, ...(routed && { moe: { at: 'layer4', kind: 'block', router } }) });
  const [model, weights, imageShape] = [moeModel(network), modelWeights(network), [batch, 32, 32, 3] as const];
  const images = createRng(3).uniform(batch * 32 * 32 * 3);
  const labels = createRng(4).integers(batch, CLASSES);
  const values = () => weights.map(({ name, variable }) => ({ name, shape: variable.shape, values: variable.dataSync() as Float32Array }));
  await writeSubject(folder, { weights: values, images, imageShape, labels, attack: ATTACK });
  // Routed layers read their gates, which compiled functions must not.
  const compile = routed ? {} : { compile: jit };
  const objective = pgdAdversarial({ attack: pgd({ ...ATTACK, start: 'none', goal: 'lastStep', ...compile }), batchNorm: 'running' });
  step = steppedTraining(model, weights, { inputs: images, labels, ids: Int32Array.from(labels.keys()), shape: imageShape }, compile.compile, objective);
}

async function answer(message: Message): Promise<object> {
  switch (message.do) {
    case 'prepare':
      await useBackend('tensorflow', { threads: message.threads });
      await prepare(message.subject, message.folder);
      return { versions: `TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}` };
    case 'train': {
      const losses: number[] = [];
      for (let i = 0; i < message.steps; i++) losses.push(await step!());
      return { losses };
    }
    case 'run':
      return timed(step!);
    case 'peak':
      return { mebibytes: process.resourceUsage().maxRSS / 1024 };
  }
}

enableProdMode();
await serve(answer);
