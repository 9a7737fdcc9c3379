import { basename, dirname, join } from 'node:path';
import { PRESETS, type Preset } from '@moe/example-evaluate-any-model/attacks';
import { UsageError, fail, fromHere, readFlags } from '@moe/example-evaluate-any-model/flags';
import { INPUT_FLAGS, INPUT_HELP, type InputSettings, inputSettings } from '@moe/example-evaluate-any-model/input-settings';

export interface Options extends InputSettings {
  /** Saved model and folder of images, or undefined to train one on Fashion-MNIST. */
  readonly saved: { readonly model: string; readonly images: string } | undefined;
  readonly name: string;
  /** L2, rising, in units of images in [0, 1]. */
  readonly radii: readonly number[];
  readonly attack: Preset;
  /** Whether bounds around each image are computed too. */
  readonly local: boolean;
  /** Standard deviation of the noise of the smoothed model, or undefined for none. */
  readonly sigma: number | undefined;
  readonly draws: number;
  /** Of the model that is trained; 1 for none that are mixed. */
  readonly experts: number;
  readonly trainImages: number;
  readonly epochs: number;
  readonly out: string;
  readonly engine: 'auto' | 'tensorflow' | 'wasm' | 'cpu';
}

export const HELP = `Certifies a TensorFlow.js classifier in L2, attacks it at the same radii, and prints both.

Usage: pnpm --filter @moe/example-certify start [--model DIR/model.json --images DIR] [options]

  --model FILE      model.json of a LayersModel; without it a small certified one is trained on Fashion-MNIST
  --images DIR      one folder of PNG or JPEG files per class; the folders in order are the outputs of the model
  --radii A,B,…     L2 lengths, of images in [0, 1] (default 0.1,0.25,0.5,0.75,1)
  --attack NAME     ${Object.keys(PRESETS).join(', ')} (default quick)
  --local yes       bounds around each image too: slow beyond small networks of layers with ReLU (default no)
  --sigma X         certifies the model under Gaussian noise of this size too (default none)
  --draws N         of that noise for each image (default 1000)
${INPUT_HELP}
  --experts N       trains a softmax mixture of that many 1-Lipschitz networks instead (default 1: a single network)
  --train-images N  of the model that is trained (default 12000, all that are embedded)
  --epochs N        (default 8)
  --out DIR         results, picture and page go here (default runs/certify-NAME)
  --engine NAME     auto, tensorflow, wasm or cpu (default auto)
  --help, --version`;

const FLAGS = [...INPUT_FLAGS, 'model', 'images', 'radii', 'attack', 'local', 'sigma', 'draws', 'experts', 'train-images', 'epochs', 'out', 'engine'] as const;

/** @throws {@link UsageError} for an unknown option or a value that makes no sense. */
export function parseOptions(args: readonly string[]): Options | 'help' | 'version' {
  const flags = readFlags(args, FLAGS);
  if (typeof flags === 'string') return flags;
  const [model, images] = [flags.path('model'), flags.path('images')];
  if ((model === undefined) !== (images === undefined)) throw new UsageError('--model and --images go together. --help lists the options.');
  const radii = flags.numbers('radii', '0.1,0.25,0.5,0.75,1');
  if (radii.some((radius, i) => radius <= (radii[i - 1] ?? 0))) fail('radii', 'must rise from above 0', flags.text('radii'));
  const sigma = flags.text('sigma') === undefined ? undefined : flags.numbers('sigma', '', [1])[0]!;
  if (sigma !== undefined && sigma <= 0) fail('sigma', 'must be positive', flags.text('sigma'));
  const experts = flags.whole('experts', 1);
  const trained = experts === 1 ? 'fashion-mnist' : `fashion-mnist-${experts}-experts`;
  const name = model === undefined ? trained : basename(dirname(model));
  return {
    ...inputSettings(flags),
    saved: model === undefined || images === undefined ? undefined : { model, images },
    name,
    radii,
    attack: flags.oneOf('attack', Object.keys(PRESETS) as Preset[], 'quick'),
    local: flags.oneOf('local', ['yes', 'no'], 'no') === 'yes',
    sigma,
    draws: flags.whole('draws', 1000),
    experts,
    trainImages: flags.whole('train-images', 12_000),
    epochs: flags.whole('epochs', 8),
    out: flags.path('out') ?? fromHere(join('runs', `certify-${name}`)),
    engine: flags.oneOf('engine', ['auto', 'tensorflow', 'wasm', 'cpu'], 'auto'),
  };
}
