import { ArgumentError } from '@moe/core';
import type { LayersModel, Shape, layers } from '@tensorflow/tfjs-layers';
import { rowShapeOf } from '../layers/weighted-layer.js';
import type { LayerPart, LayerSpec, NetworkSpec } from '../spec/parts.js';

type Config = Readonly<Record<string, unknown>>;

/** The layers of tfjs itself that networks of this package use. */
const STOCK: Readonly<Record<string, (config: Config) => LayerPart | undefined>> = {
  Activation: ({ activation }) => (activation === 'relu' ? { kind: 'relu' } : undefined),
  Add: () => ({ kind: 'add' }),
  ZeroPadding2D: ({ padding }) => ({ kind: 'zeroPad', padding: padding as [[number, number], [number, number]] }),
  MaxPooling2D: ({ poolSize, strides }) => ({ kind: 'maxPool', poolSize: (poolSize as number[])[0]!, stride: (strides as number[])[0]! }),
  Flatten: () => ({ kind: 'flatten' }),
  GlobalAveragePooling2D: () => ({ kind: 'globalAveragePool' }),
};

/** What the description of a network has no words for. */
const isBeyondDescription = (layer: layers.Layer): boolean => 'skip' in layer && 'sharedWeight' in layer && (layer.skip !== false || layer.sharedWeight !== 1);

function partOf(caller: string, layer: layers.Layer): LayerPart {
  const part = isBeyondDescription(layer) ? undefined : 'part' in layer ? (layer.part as LayerPart | undefined) : STOCK[layer.getClassName()]?.(layer.getConfig());
  if (part === undefined) throw new ArgumentError(`${caller}: layer '${layer.name}' must be one that the networks of @moe/layers are made of, got ${layer.getClassName()}.`);
  return part;
}

/**
 * The description that {@link buildNetwork} built a model from, read off the model, so that files and surgery need not keep it.
 *
 * @throws {@link ArgumentError} if a layer is of another kind.
 */
export function describeNetwork(caller: string, model: LayersModel): NetworkSpec {
  const [input] = model.inputLayers;
  const nameOf = (layer: layers.Layer): string => (layer === input ? 'input' : layer.name);
  const specs = model.layers.flatMap((layer): LayerSpec[] => {
    if (layer === input) return [];
    const [node] = layer.inboundNodes;
    const [inputShape, outputShape] = [node!.inputShapes[0], node!.outputShapes[0]] as [Shape, Shape];
    const gateShape = node!.inputShapes[1] as Shape | undefined;
    const part = partOf(caller, layer);
    return [{ name: layer.name, part, ...('router' in part && gateShape !== undefined && { gateShape: rowShapeOf(gateShape) }), inputs: node!.inboundLayers.map(nameOf), inputShape: rowShapeOf(inputShape), outputShape: rowShapeOf(outputShape) }];
  });
  const seeds = model.layers.flatMap((layer) => ('seed' in layer ? [layer.seed as number] : []));
  return { name: model.name, inputShape: rowShapeOf(model.inputs[0]!.shape), classes: specs.at(-1)!.outputShape[0]!, seed: seeds[0] ?? 0, layers: specs };
}
