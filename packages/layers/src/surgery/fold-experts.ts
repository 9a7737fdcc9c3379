import type { Router } from '@moe/router';
import type { BlockSpec, ConvSpec, LayerPart, LayerSpec, NetworkSpec, RowShape } from '../spec/parts.js';
import { covers, expectPlaces } from '../spec/places.js';

const convOf = (layer: LayerSpec | undefined): ConvSpec | undefined => (layer?.part.kind === 'conv' ? layer.part.conv : undefined);

/** Which dense parts of a network are to become mixtures. */
export interface FoldOptions {
  /** Paths, as in {@link MoeOptions.at}. */
  readonly at: string | readonly string[];
  /** `'block'`: whole residual blocks; `'conv'`: single convolutions; `'dense'`: feed-forward layers of a transformer, and hidden layers of an MLP. */
  readonly kind: 'block' | 'conv' | 'dense';
  /** One router for all places, or a function of the input shape of the place. A router with one expert leaves the place dense. */
  readonly router: Router | ((inputShape: RowShape) => Router);
  /** With `kind: 'conv'`: whether the 1x1 convolution of a skip counts too. @defaultValue true */
  readonly downsample?: boolean;
}

/** The block that the layers at a path are, if all of its convolutions are dense. */
function blockAt(path: string, layers: ReadonlyMap<string, LayerSpec>): BlockSpec | undefined {
  const at = (name: string): LayerSpec | undefined => layers.get(`${path}.${name}`);
  const depth = at('conv3') === undefined ? 2 : 3;
  const convs = Array.from({ length: depth }, (_, i) => convOf(at(`conv${i + 1}`)));
  const [first, last] = [convs[0], convs.at(-1)];
  const skip = at('downsample.0');
  if (first === undefined || last === undefined || convs.includes(undefined) || (skip !== undefined && convOf(skip) === undefined)) return undefined;
  const kind = depth === 3 ? 'bottleneck' : at('conv1')!.inputs[0] === `${path}.relu1` ? 'preactivation' : 'basic';
  const norm = at('bn1')?.part;
  const batchNorm = (norm?.kind === 'batchNorm' ? norm.convention : undefined) ?? 'pytorch';
  return { kind, inChannels: first.inChannels, filters: last.filters, stride: convs.reduce((product, conv) => product * conv!.stride, 1), inner: first.filters, batchNorm };
}

/** Something dense that can become an MoE layer. */
interface Candidate {
  readonly path: string;
  /** The layers that it takes in. */
  readonly members: readonly LayerSpec[];
  readonly part: (router: Router) => LayerPart;
}

/** The mixture that a single layer can become. */
function mixtureOf({ part, name }: LayerSpec, { kind, downsample = true }: FoldOptions): Candidate['part'] | undefined {
  if (kind === 'conv' && part.kind === 'conv') {
    const { conv } = part;
    return !downsample && name.includes('.downsample.') ? undefined : (router) => ({ kind: 'convMoe', conv, router });
  }
  if (kind !== 'dense') return undefined;
  if (part.kind === 'feedForward') return (router) => ({ kind: 'denseMoe', hidden: part.hidden, dropout: part.dropout ?? 0, sharedStart: false, router });
  if (part.kind === 'linear' && part.activation === 'relu') return (router) => ({ kind: 'linearMoe', units: part.units, router });
  return undefined;
}

function candidates({ layers }: NetworkSpec, options: FoldOptions): readonly Candidate[] {
  if (options.kind !== 'block') {
    return layers.flatMap((layer): Candidate[] => {
      const part = mixtureOf(layer, options);
      return part === undefined ? [] : [{ path: layer.name, members: [layer], part }];
    });
  }
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  return layers.flatMap(({ name, part }): Candidate[] => {
    const path = name.replace(/\.add$/, '');
    const block = part.kind === 'add' ? blockAt(path, byName) : undefined;
    if (block === undefined) return [];
    return [{ path, members: layers.filter((layer) => layer.name.startsWith(`${path}.`)), part: (router) => ({ kind: 'blockMoe', block, router }) }];
  });
}

/**
 * A dense network with MoE layers in the place of blocks or convolutions, as {@link resnetSpec} would have described it.
 *
 * @throws {@link ArgumentError} if a place does not exist, or is no longer dense.
 */
export function foldExperts(caller: string, spec: NetworkSpec, moe: FoldOptions): NetworkSpec {
  const all = candidates(spec, moe);
  const places = [moe.at].flat();
  expectPlaces(caller, places, all.map(({ path }) => path), 'at');
  const outputs = new Map<string, string>();
  const replaced = new Map<string, LayerSpec | undefined>();
  for (const { path, members, part } of all) {
    if (!places.some((place) => covers(place, path))) continue;
    const names = new Set(members.map(({ name }) => name));
    const input = members.flatMap(({ inputs }) => inputs).find((name) => !names.has(name))!;
    const [first, last] = [members.find(({ inputs }) => inputs.includes(input))!, members.at(-1)!];
    const router = typeof moe.router === 'function' ? moe.router(first.inputShape) : moe.router;
    if (router.numExperts === 1) continue;
    for (const { name } of members) replaced.set(name, undefined);
    replaced.set(last.name, { name: path, part: part(router), inputs: [input], inputShape: first.inputShape, outputShape: last.outputShape });
    outputs.set(last.name, path);
  }
  const layers = spec.layers.flatMap((layer) => (replaced.has(layer.name) ? (replaced.get(layer.name) ?? []) : layer));
  return { ...spec, layers: layers.map((layer) => ({ ...layer, inputs: layer.inputs.map((name) => outputs.get(name) ?? name) })) };
}
