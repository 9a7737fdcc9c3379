// Our side of `pnpm bench pytorch`: the same commands as peer.py, one JSON object a line.
import { useBackend } from '@moe/backend';
import { describeTensorflow } from '@moe/backend/node';
import { type Tensor, enableProdMode } from '@tensorflow/tfjs-core';
import { serve, timed } from '../side.js';
import { cnn28 } from './cnn28.js';
import { resnet18 } from './resnet18.js';
import type { Pass, Subject } from './subject.js';
import { writeSubject } from './tensors.js';

const SUBJECTS: Readonly<Record<string, () => Subject>> = { 'cnn28-b128': cnn28, 'resnet18-b64': resnet18 };

type Message =
  | { do: 'prepare'; subject: string; folder: string; threads: number }
  | { do: 'check'; same: boolean }
  | { do: 'run'; task: string }
  | { do: 'peak' };

let subject: Subject | undefined;

const prepared = (): Subject => {
  if (subject === undefined) throw new Error('prepare comes first.');
  return subject;
};

function read(make: () => Tensor): number[] {
  const made = make();
  const values = Array.from(made.dataSync());
  made.dispose();
  return values;
}

async function check(pass: Pass, training: boolean): Promise<object> {
  const logits = read(pass.logits);
  const gradient = read(pass.inputGradient);
  const { attackLosses, trainStep } = prepared();
  if (!training) return { logits, gradient };
  return { logits, gradient, attack: attackLosses(), losses: [await trainStep(), await trainStep(), await trainStep(), await trainStep()] };
}

function taskOf(name: string): () => unknown {
  const task = prepared().tasks[name];
  if (task === undefined) throw new Error(`no task is called '${name}'.`);
  return task;
}

async function answer(message: Message): Promise<object> {
  switch (message.do) {
    case 'prepare': {
      await useBackend('tensorflow', { threads: message.threads });
      subject = SUBJECTS[message.subject]?.();
      await writeSubject(message.folder, prepared());
      return { versions: `TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}` };
    }
    case 'check': {
      const pass = prepared().passes[message.same ? 'layers' : 'function'];
      if (pass === undefined) throw new Error('there is no such network.');
      return check(pass, !message.same);
    }
    case 'run':
      return timed(taskOf(message.task));
    case 'peak':
      return { mebibytes: process.resourceUsage().maxRSS / 1024 };
  }
}

enableProdMode();
await serve(answer);
