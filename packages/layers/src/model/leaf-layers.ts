import type { LayersModel, layers } from '@tensorflow/tfjs-layers';

const isModel = (layer: layers.Layer): layer is LayersModel => 'layers' in layer;

/** The layers of a model in order, those of nested models in place of these. */
export function leafLayers(model: LayersModel): readonly layers.Layer[] {
  return model.layers.flatMap((layer) => (isModel(layer) ? leafLayers(layer) : layer));
}
