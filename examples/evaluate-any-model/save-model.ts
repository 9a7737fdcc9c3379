import { join } from 'node:path';
import { writeFileAtomic } from '@moe/core/node';
import { io } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';

/** Writes `model.json` and `weights.bin` into a folder, on any engine. */
export async function saveModel(model: LayersModel, folder: string): Promise<void> {
  const keep = async ({ modelTopology, weightSpecs = [], weightData }: io.ModelArtifacts): Promise<io.SaveResult> => {
    const data = Buffer.from(weightData as ArrayBuffer);
    await writeFileAtomic(join(folder, 'weights.bin'), data);
    await writeFileAtomic(join(folder, 'model.json'), JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }] }));
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
  };
  await model.save(io.withSaveHandler(keep));
}
