// Shapes: B images, N noisy copies, M classes.
import { apgd } from '@moe/attacks';
import { type LogitsFn, type Rng, createRng } from '@moe/core';
import { type SmoothedCertificate, certifySmoothed } from '@moe/lipschitz';
import { type Tensor, type Tensor2D, add, argMax, dispose, expandDims, gather, log, mean, oneHot, reshape, softmax, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';

/** Copies behind a gradient of the smoothed model, and behind one pass of a vote. */
const COPIES = 16;
const STEPS = 20;

export interface SmoothedOptions {
  readonly sigma: number;
  readonly draws: number;
  readonly seed: number;
  readonly radii: readonly number[];
  readonly tell: (line: string) => void;
}

/** What one function of the logits `[N·B,M]` is on average over N noisy copies of each image, `[B,M]`. */
const overNoise = (model: LogitsFn, noise: Tensor, images: Tensor, of: (logits: Tensor2D) => Tensor): Tensor2D =>
  tidy(() => {
    const copies = noise.shape[0]!;
    const answers = of(model(reshape(add(expandDims(images, 0), expandDims(noise, 1)), [-1, ...images.shape.slice(1)])));
    return mean(reshape(answers, [copies, images.shape[0]!, -1]), 0) as Tensor2D;
  });

const noiseOf = (rng: Rng, shape: readonly number[], sigma: number): Tensor => tensor(rng.normal(COPIES * shape.reduce((a, b) => a * b, 1), 0, sigma), [COPIES, ...shape]);

/** The class that most noisy copies are given, one an image. */
function votes(model: LogitsFn, images: Tensor, { sigma, draws, seed }: SmoothedOptions): number[] {
  const rng = createRng(seed).stream('votes');
  const total: Float32Array[] = [];
  for (let drawn = 0; drawn < draws; drawn += COPIES) {
    const counted = tidy(() => overNoise(model, noiseOf(rng, images.shape.slice(1), sigma), images, (logits) => oneHot(argMax(logits, 1), logits.shape[1])));
    total.push(counted.dataSync<'float32'>().slice());
    counted.dispose();
  }
  const classes = total[0]!.length / images.shape[0]!;
  return Array.from({ length: images.shape[0]! }, (_, i) => {
    const counts = Array.from({ length: classes }, (_, c) => total.reduce((sum, each) => sum + each[i * classes + c]!, 0));
    return counts.indexOf(Math.max(...counts));
  });
}

/** Certificates of the model under noise. */
export async function smoothedCertificates(model: LogitsFn, images: Tensor, { sigma, draws, seed, tell }: SmoothedOptions): Promise<SmoothedCertificate[]> {
  const certificates = await certifySmoothed(model, images, { sigma, draws, selectionDraws: Math.min(100, draws), seed });
  tell(`smoothed: ${certificates.filter(({ radius }) => radius > 0).length} of ${certificates.length} certified`);
  return certificates;
}

/**
 * The smallest of the radii at which an attack on the smoothed model changed its vote, for each image: 0 where the vote is wrong as it is, ∞ where none did.
 *
 * @remarks
 * AutoPGD follows the mean probability over a few copies, whose noise stays the same, and the vote is taken with noise of its own.
 */
export function smoothedLengths(model: LogitsFn, images: Tensor, labels: readonly number[], options: SmoothedOptions): number[] {
  const { radii, seed, sigma, tell } = options;
  const before = votes(model, images, options);
  const lengths = labels.map((label, i) => (before[i] === label ? Infinity : 0));
  const noise = noiseOf(createRng(seed).stream('attack'), images.shape.slice(1), sigma);
  const smoothed: LogitsFn = (x) => tidy(() => log(add<Tensor2D>(overNoise(model, noise, x, (logits) => softmax(logits)), 1e-6)));
  for (const eps of radii) {
    const standing = [...lengths.keys()].filter((i) => lengths[i] === Infinity);
    if (standing.length === 0) break;
    const [x, y] = [tidy(() => gather(images, tensor1d(standing, 'int32'))), tensor1d(standing.map((i) => labels[i]!), 'int32')];
    const { adversarial, success, loss } = apgd({ eps, norm: 'L2', steps: STEPS }).perturb(smoothed, x, y, { rng: createRng(seed), exampleIds: standing });
    votes(model, adversarial, options).forEach((vote, k) => {
      if (vote !== labels[standing[k]!]) lengths[standing[k]!] = eps;
    });
    dispose([x, y, adversarial, success, loss]);
    tell(`smoothed, attacked at ${eps}: ${lengths.filter((length) => length === Infinity).length} of ${labels.length} stand`);
  }
  noise.dispose();
  return lengths;
}
