import type { LayersModel } from '@tensorflow/tfjs-layers';
import { leafLayers } from '../model/leaf-layers.js';
import type { LayerPart } from '../spec/parts.js';

const LEAVES: Readonly<Record<string, string>> = { kernel: 'weight', gamma: 'weight', beta: 'bias', movingMean: 'running_mean', movingVariance: 'running_var' };

/** Places of the gates' weights in the released code of *Robust Experts*, where a gate is a list of modules in `gate.network`. */
const GATES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gapFc: { kernel: '2.weight', bias: '2.bias' },
  convGap: { kernel: '0.weight' },
  doubleConvGap: {
    'conv/kernel': '0.weight',
    'bn/gamma': '1.weight',
    'bn/beta': '1.bias',
    'bn/movingMean': '1.running_mean',
    'bn/movingVariance': '1.running_var',
    kernel: '2.weight',
  },
  fixedRandomGate: { kernel: 'support_vectors' },
};

/** Name of the gate network of each MoE layer, by layer. */
function gateNames(model: LayersModel): ReadonlyMap<string, string> {
  const routed = leafLayers(model).flatMap((layer): [string, string][] => {
    const part = 'part' in layer ? (layer.part as LayerPart) : undefined;
    if (part === undefined || !('router' in part)) return [];
    const gate = part.router.options['gate'] as { readonly name?: string } | undefined;
    return [[layer.name, gate?.name ?? '']];
  });
  return new Map(routed);
}

/**
 * How PyTorch names the weights of a model: torchvision's names for a dense network, those of the released code of *Robust Experts* for MoE layers.
 *
 * @returns Function from a name of `modelWeights`, such as `layer4.0/expert1/bn1/gamma`, to that of a state dict, `layer4.0.experts.1.bn1.weight`.
 */
export function torchNames(model: LayersModel): (name: string) => string {
  const gates = gateNames(model);
  return (name) => {
    const [layer = '', ...path] = name.split('/');
    const leaf = path.pop()!;
    if (path[0] === 'router') {
      const place = [...path.slice(1), leaf].join('/');
      return `${layer}.gate.network.${GATES[gates.get(layer) ?? '']?.[place] ?? place}`;
    }
    const modules = path.map((part) => part.replace(/^expert(?=\d+$)/, 'experts.'));
    return [layer, ...modules, LEAVES[leaf] ?? leaf].join('.');
  };
}
