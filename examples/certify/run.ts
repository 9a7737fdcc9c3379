import { type CertifiedAccuracyPoint, certifiedAccuracy } from '@moe/lipschitz';
import { useBackend } from '@moe/backend';
import { NumericsError } from '@moe/core';
import { chosenImages } from '@moe/example-evaluate-any-model/load-data';
import { type Tensor, tensor, tidy } from '@tensorflow/tfjs-core';
import { attackedLengths } from './attacked.js';
import { type CertifiedPrediction, globalCertificates, localCertificates } from './certificates.js';
import { mixtureCertificates } from './mixture.js';
import type { Options } from './options.js';
import { smoothedCertificates, smoothedLengths } from './smoothed.js';
import { type Subject, openSubject } from './subject.js';

/** One way to certify, against the attacks on what it certifies. */
export interface Curve {
  readonly name: string;
  readonly certified: readonly CertifiedAccuracyPoint[];
  /** Share of images that are right and that no attack fooled, at the same radii; 0 is without attack. */
  readonly attacked: readonly CertifiedAccuracyPoint[];
}

export interface Results {
  readonly name: string;
  readonly engine: string;
  readonly images: number;
  readonly seed: number;
  readonly curves: readonly Curve[];
  /** Certificates that could not be had, with the reason. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
}

interface Verdict {
  readonly correct: boolean;
  /** Certified, in L2. */
  readonly radius: number;
  /** Of the shortest perturbation found that changes the class; ∞ if none was. */
  readonly length: number;
}

/** Rounding of lengths in float32. */
const SLACK = 1e-5;

/**
 * Both curves of some verdicts.
 *
 * @throws NumericsError if an attack got inside a certificate: then one of the two is wrong.
 */
export function curveOf(name: string, ids: readonly number[], verdicts: readonly Verdict[], radii: readonly number[]): Curve {
  verdicts.forEach(({ correct, radius, length }, i) => {
    if (correct && length * (1 + SLACK) < radius) throw new NumericsError(`curveOf: no attack may succeed within a certified radius, got image ${ids[i]} fooled at ${length}, certified by ${name} to ${radius}.`);
  });
  const all = [0, ...radii];
  const certified = certifiedAccuracy(verdicts, all);
  // Standing at a radius means that every perturbation found is longer.
  const attacked = all.map((radius) => ({ ...certifiedAccuracy(verdicts.map(({ length }) => ({ correct: length > radius, radius: Infinity })), [radius])[0]!, radius }));
  for (const [i, { radius, certifiedAccuracy: least }] of certified.entries()) {
    if (attacked[i]!.certifiedAccuracy < least) throw new NumericsError(`curveOf: attacked accuracy must be at least certified accuracy, got ${attacked[i]!.certifiedAccuracy} and ${least} at ${radius} by ${name}.`);
  }
  return { name, certified, attacked };
}

/** Certificates by bounds of the whole function: of a mixture by its parts. */
function certificatesOf({ network, mixture }: Subject, images: Tensor, logits: readonly (readonly number[])[], radii: readonly number[]): CertifiedPrediction[] | string {
  if (mixture !== undefined) return mixtureCertificates(mixture, images, 2 * radii.at(-1)!);
  return typeof network === 'string' ? network : globalCertificates(network, logits);
}

/** Certifies and attacks; see the README. */
export async function run(options: Options, tell: (line: string) => void): Promise<Results> {
  const { engine } = await useBackend(options.engine);
  const subject = await openSubject(options, tell);
  const { radii, seed, sigma, draws } = options;
  const ids = chosenImages(options, subject.data.length);
  const { inputs, labels, shape } = await subject.data.read(ids);
  const logits = tidy(() => subject.model(tensor(inputs, [...shape])).arraySync());
  const curves: Curve[] = [];
  const missing: Results['missing'][number][] = [];

  const lengths = await attackedLengths(subject, { ids, radii, preset: options.attack, seed, tell });
  const add = (name: string, certificates: ReturnType<typeof globalCertificates>): void => {
    if (typeof certificates === 'string') missing.push({ name, reason: certificates });
    else curves.push(curveOf(name, ids, certificates.map(({ prediction, radius }, i) => ({ correct: prediction === labels[i], radius, length: lengths.get(ids[i]!)! })), radii));
  };
  const images = tensor(inputs, [...shape]);
  const whole = certificatesOf(subject, images, logits, radii);
  add(subject.mixture === undefined ? 'Lipschitz' : 'mixture', whole);
  if (options.local) {
    const size = inputs.length / ids.length;
    const pixels = ids.map((_, i) => Float32Array.from(inputs.subarray(i * size, (i + 1) * size)));
    add('local', typeof subject.network === 'string' ? subject.network : typeof whole === 'string' ? whole : localCertificates(subject.network, pixels, whole, radii));
  }
  if (sigma !== undefined) {
    const smoothing = { sigma, draws, seed, radii, tell };
    const certificates = await smoothedCertificates(subject.model, images, smoothing);
    const found = smoothedLengths(subject.model, images, Array.from(labels), smoothing);
    curves.push(curveOf('smoothing', ids, certificates.map(({ prediction, radius }, i) => ({ correct: prediction === labels[i], radius, length: found[i]! })), radii));
  }
  images.dispose();
  return { name: options.name, engine, images: ids.length, seed, curves, missing };
}
