// Attacks need what enters the last softmax: it hides gradients.
interface LayerJson {
  class_name: string;
  config: { name?: string; activation?: unknown; layers?: LayerJson[]; output_layers?: unknown[] } | LayerJson[];
}

const NESTED = ['Sequential', 'Functional', 'Model'];

/** Turns the final softmax of a saved LayersModel into the identity, in place. */
export function stripLayersSoftmax(topology: unknown): void {
  const { model_config: inner } = topology as { model_config?: LayerJson };
  stripModel(inner ?? (topology as LayerJson));
}

function stripModel({ config }: LayerJson): void {
  const layers = Array.isArray(config) ? config : (config.layers ?? []);
  const [output] = Array.isArray(config) ? [] : [config.output_layers?.flat(2)[0]];
  const last = layers.find((layer) => !Array.isArray(layer.config) && layer.config.name === output) ?? layers.at(-1);
  if (last === undefined) return;
  if (NESTED.includes(last.class_name)) stripModel(last);
  else if (last.class_name === 'Softmax' && !Array.isArray(last.config)) Object.assign(last, { class_name: 'Activation', config: { name: last.config.name, trainable: true, activation: 'linear' } });
  else if (!Array.isArray(last.config) && last.config.activation === 'softmax') last.config.activation = 'linear';
}

interface NodeJson {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
}

/** Name of the node of a GraphModel whose value enters its final softmax, or of its output if there is none. */
export function logitsNode(topology: unknown, output: string): string {
  const { node = [] } = topology as { node?: readonly NodeJson[] };
  const nodes = new Map(node.map((entry) => [entry.name, entry]));
  let current = nodes.get(output.split(':')[0]!);
  while (current?.op === 'Identity') current = nodes.get(current.input?.[0]?.split(':')[0] ?? '');
  return current?.op === 'Softmax' ? (current.input?.[0] ?? output) : output;
}
