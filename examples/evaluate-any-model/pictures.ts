// Shapes: B batch, H W pixels, C channels.
import type { Evaluation } from '@moe/attacks';
import { type Attack, type Dataset, type LogitsFn, createRng } from '@moe/core';
import { type PixelImage, type ReportSection, imageGrid, perturbationView } from '@moe/report';
import { argMax, dispose, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';

const MOST = 6;

/** An image that the model gets right, and the point of its ball that an attack found; classes by name. */
interface Fooled {
  readonly clean: PixelImage;
  readonly adversarial: PixelImage;
  readonly label: string;
  readonly taken: string;
  readonly attack: string;
}

export interface PicturesOptions {
  readonly evaluation: Evaluation;
  readonly model: LogitsFn;
  readonly data: Dataset;
  /** Those of the evaluation. */
  readonly attacks: readonly Attack[];
}

/** `count` of some values, spread over them. */
const spread = <T>(values: readonly T[], count: number): T[] => Array.from({ length: Math.min(count, values.length) }, (_, i) => values[Math.floor((i * values.length) / Math.min(count, values.length))]!);

/** A few fooled images, attacked once more: the same seed and ids give the very inputs that were judged. */
async function fooledImages({ evaluation: { flags, seed }, model, data, attacks }: PicturesOptions): Promise<Fooled[]> {
  const byAttack = flags.ids.map((id, i) => ({ id, attack: flags.clean[i] === '1' ? attacks.find(({ name }) => flags.robust[name]?.[i] === '0') : undefined }));
  const chosen = spread(byAttack.filter(({ attack }) => attack !== undefined), MOST);
  const found: Fooled[] = [];
  for (const attack of attacks) {
    const own = chosen.filter((entry) => entry.attack === attack).map(({ id }) => id);
    if (own.length === 0) continue;
    const { inputs, labels, ids, shape } = await data.read(own);
    const [height = 0, width = 0, channels = 0] = shape.slice(1);
    const size = height * width * channels;
    const [x, y] = [tensor(inputs.slice(), [...shape]), tensor1d(labels, 'int32')];
    const result = attack.perturb(model, x, y, { rng: createRng(seed), exampleIds: ids });
    const [points, classes] = [result.adversarial.dataSync() as Float32Array, tidy(() => argMax(model(result.adversarial), 1).dataSync())];
    dispose([x, y, result.adversarial, result.success, result.loss]);
    const image = (values: Float32Array, i: number): PixelImage => ({ data: values.slice(i * size, (i + 1) * size), height, width, channels });
    const nameOf = (index: number | undefined): string => (index === undefined ? '' : (data.classNames[index] ?? String(index)));
    own.forEach((_, i) => found.push({ clean: image(inputs, i), adversarial: image(points, i), label: nameOf(labels[i]), taken: nameOf(classes[i]), attack: attack.name }));
  }
  return found;
}

/** The largest change of a pixel. */
const furthest = (fooled: readonly Fooled[]): number => Math.max(...fooled.flatMap(({ clean, adversarial }) => Array.from(adversarial.data, (value, i) => Math.abs(value - clean.data[i]!))));

/** What fooled the model, to look at: the image, the adversarial one, and what was added; none where nothing did. */
export async function picturesSection(options: PicturesOptions): Promise<ReportSection | undefined> {
  const fooled = await fooledImages(options);
  if (fooled.length === 0) return undefined;
  const range = furthest(fooled);
  const rows = [
    { label: 'image', images: fooled.map(({ clean, label }) => ({ ...clean, caption: label })) },
    { label: 'attacked', images: fooled.map(({ adversarial, taken, attack }) => ({ ...adversarial, caption: `${taken}\nby ${attack}` })) },
    { label: `added\nblack -${range.toPrecision(2)}\nwhite +${range.toPrecision(2)}`, images: fooled.map(({ clean, adversarial }) => perturbationView(clean, adversarial, { range })) },
  ];
  return {
    title: 'Fooled images',
    text: 'A few images that the model gets right, the inputs within the ball that it takes for something else, and what was added to them, amplified.',
    html: imageGrid({ rows }),
  };
}
