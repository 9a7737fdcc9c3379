// Shapes: H W pixels, C channels.
import { paddingOf } from '../ops/convolution.js';
import type { BatchNormConventionName } from './batch-norm-convention.js';
import type { MoeOptions, NetworkOptions } from './network-options.js';
import { partOutputShape } from './part-shape.js';
import { type BlockSpec, type ConvSpec, type LayerPart, type LayerSpec, type Mixture, type RowShape, blockConvs } from './parts.js';
import { covers } from './places.js';

/** Collects layers and the shapes between them. */
export class NetworkBuilder {
  readonly layers: LayerSpec[] = [];
  /** Paths of what could become an MoE layer of the wanted kind. */
  readonly candidates: string[] = [];
  readonly #shapes = new Map<string, RowShape>();
  readonly #moe: MoeOptions | undefined;
  readonly #places: readonly string[];
  readonly #convention: BatchNormConventionName;
  /** The image as the network sees it. */
  readonly image: string;

  constructor(inputShape: RowShape, { moe, batchNorm = 'pytorch', normalize }: Pick<NetworkOptions, 'moe' | 'batchNorm' | 'normalize'>) {
    this.#shapes.set('input', inputShape);
    this.#moe = moe;
    this.#convention = batchNorm;
    this.#places = moe === undefined ? [] : [moe.at].flat();
    this.image = normalize === undefined ? 'input' : this.push('normalize', { kind: 'normalize', mean: normalize.mean, std: normalize.std }, 'input');
  }

  push(name: string, part: LayerPart, ...sources: readonly string[]): string {
    // As MoE layers do with a second input that is the first.
    const inputs = 'router' in part ? [...new Set(sources)] : sources;
    const inputShape = this.shape(inputs[0]!);
    const outputShape = partOutputShape(part, inputShape);
    const gateShape = 'router' in part && inputs[1] !== undefined ? this.shape(inputs[1]) : undefined;
    this.layers.push({ name, part, inputs, inputShape, outputShape, ...(gateShape !== undefined && { gateShape }) });
    this.#shapes.set(name, outputShape);
    return name;
  }

  shape(name: string): RowShape {
    return this.#shapes.get(name)!;
  }

  /** What a router sees whose experts see `input`. */
  #gateShape(input: string): RowShape {
    const { gateFrom = 'input' } = this.#moe!;
    if (typeof gateFrom === 'object') return [gateFrom.features];
    return this.shape(gateFrom === 'image' ? this.image : input);
  }

  /** An MoE layer with the inputs that it needs. */
  #mix(name: string, part: LayerPart, input: string): string {
    const { gateFrom = 'input' } = this.#moe!;
    if (gateFrom === 'input') return this.push(name, part, input);
    if (gateFrom === 'image') return this.push(name, part, input, this.image);
    // One for all MoE layers, made for the first.
    if (!this.#shapes.has('gate')) this.push('gate', { kind: 'gateFeatures', features: gateFrom.features }, this.image);
    return this.push(name, part, input, 'gate');
  }

  /** The mixture of the place, if an MoE layer with more than one expert belongs there. */
  #mixture(kind: MoeOptions['kind'], path: string, input: string): Mixture | undefined {
    if (this.#moe?.kind !== kind) return undefined;
    this.candidates.push(path);
    if (!this.#places.some((place) => covers(place, path))) return undefined;
    const { router } = this.#moe;
    const chosen = typeof router === 'function' ? router(this.#gateShape(input)) : router;
    return chosen.numExperts > 1 ? { router: chosen, sharedExperts: this.#moe.sharedExperts ?? 0 } : undefined;
  }

  /** A convolution, or a mixture of them. */
  conv(name: string, conv: ConvSpec, input: string): string {
    const isSkip = name.includes('.downsample.');
    const mixture = isSkip && this.#moe?.downsample === false ? undefined : this.#mixture('conv', name, input);
    return mixture === undefined ? this.push(name, { kind: 'conv', conv }, input) : this.#mix(name, { kind: 'convMoe', conv, ...mixture }, input);
  }

  #norm(name: string, input: string): string {
    return this.push(name, { kind: 'batchNorm', convention: this.#convention }, input);
  }

  /** Batch norm and ReLU. */
  activate(norm: string, active: string, input: string): string {
    return this.push(active, { kind: 'relu' }, this.#norm(norm, input));
  }

  /** Blocks in a row, or a mixture of narrower ones; paths are `path.0`, `path.1`, …. */
  stage(path: string, blocks: readonly BlockSpec[], input: string): string {
    const mixture = this.#mixture('stage', path, input);
    if (mixture === undefined) return blocks.reduce((last, block, i) => this.block(`${path}.${i}`, block, last), input);
    const [first, last] = [blocks[0]!, blocks.at(-1)!];
    const inner = this.#moe!.innerWidth!(this.shape(input), last.filters);
    const narrow = [
      { ...first, filters: inner, batchNorm: this.#convention },
      { ...last, inChannels: inner, stride: 1, batchNorm: this.#convention },
    ];
    return this.#mix(path, { kind: 'stageMoe', blocks: narrow, residual: this.#moe!.residual ?? false, ...mixture }, input);
  }

  /** A residual block, or a mixture of them. */
  block(path: string, block: BlockSpec, input: string): string {
    const mixture = this.#mixture('block', path, input);
    if (mixture !== undefined) return this.#mix(path, { kind: 'blockMoe', block: { ...block, batchNorm: this.#convention }, ...mixture }, input);
    return block.kind === 'preactivation' ? this.#preactivation(path, block, input) : this.#postactivation(path, block, input);
  }

  #postactivation(path: string, block: BlockSpec, input: string): string {
    const { branch, downsample } = blockConvs(block);
    let last = input;
    branch.forEach(({ name, conv }, i) => {
      const index = i + 1;
      last = this.#norm(`${path}.bn${index}`, this.conv(`${path}.${name}`, conv, last));
      if (index < branch.length) last = this.push(`${path}.relu${index}`, { kind: 'relu' }, last);
    });
    const skip = downsample === undefined ? input : this.#norm(`${path}.downsample.1`, this.conv(`${path}.downsample.0`, downsample, input));
    return this.push(`${path}.relu${branch.length}`, { kind: 'relu' }, this.push(`${path}.add`, { kind: 'add' }, last, skip));
  }

  #preactivation(path: string, block: BlockSpec, input: string): string {
    const { branch, downsample } = blockConvs(block);
    const active = this.activate(`${path}.bn1`, `${path}.relu1`, input);
    const middle = this.activate(`${path}.bn2`, `${path}.relu2`, this.conv(`${path}.conv1`, branch[0]!.conv, active));
    const last = this.conv(`${path}.conv2`, branch[1]!.conv, middle);
    const skip = downsample === undefined ? input : this.conv(`${path}.downsample.0`, downsample, active);
    return this.push(`${path}.add`, { kind: 'add' }, last, skip);
  }

  /** Max pooling 3x3 with stride 2 and one zero on every side, of something that is nowhere below 0. */
  maxPool(input: string): string {
    const [height = 1, columns = 1] = this.shape(input);
    // After ReLU a padded zero never exceeds a real value, so zeros stand in for PyTorch's -∞.
    const padded = this.push('maxpool.pad', { kind: 'zeroPad', padding: [paddingOf(height, 3, 2), paddingOf(columns, 3, 2)] }, input);
    return this.push('maxpool', { kind: 'maxPool', poolSize: 3, stride: 2 }, padded);
  }
}
