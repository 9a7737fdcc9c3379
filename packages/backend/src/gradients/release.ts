// Memory of a backward pass: frees what no later step of it needs, step by step. tfjs frees it all at the end.
import { type NamedTensorMap, type Tensor, engine, getGradient } from '@tensorflow/tfjs-core';

/** A step of the forward pass, as tfjs notes it. */
interface Step {
  readonly kernelName: string;
  readonly inputs: NamedTensorMap;
  readonly outputs: readonly Tensor[];
  readonly saved?: readonly Tensor[];
  gradient?: (dys: (Tensor | undefined)[]) => Record<string, () => Tensor>;
}

const RELEASES = Symbol.for('moe.backend.releases');

/**
 * Lets every step, when its turn in the backward pass comes, free what the one before it used: its saved tensors, and the gradients of its outputs.
 *
 * @param wanted - tensors whose gradients were asked for.
 */
function watch(steps: readonly Step[], wanted: readonly Tensor[]): void {
  const results = new Set(wanted.map(({ id }) => id));
  const seen = new Set<Tensor>();
  /** Tensors that are the gradient of more than one thing. */
  const shared = new Set<Tensor>();
  // Scopes are numbered; those of the backward pass are still to come. What was made before, such as a constant that a function gives as its gradient, is somebody else's.
  const firstScope = engine().state.nextScopeId;
  const madeHere = ({ kept, scopeId }: Tensor): boolean => !kept && scopeId >= firstScope;
  /** Inputs that have a gradient already. What comes to it is added, and of no use after that. */
  const begun = new Set<number>();
  let used: Tensor[] = [];

  const note = (dx: Tensor, input: Tensor | undefined): Tensor => {
    if (seen.has(dx)) shared.add(dx);
    else if (input !== undefined && begun.has(input.id) && madeHere(dx)) used.push(dx);
    seen.add(dx);
    if (input !== undefined) begun.add(input.id);
    return dx;
  };

  for (const step of steps) {
    const { kernelName, inputs, outputs, saved = [], gradient } = step;
    if (gradient === undefined) continue;
    step.gradient = (dys) => {
      for (const tensor of used) if (!shared.has(tensor)) tensor.dispose();
      const own = dys.filter((dy, i): dy is Tensor => dy != null && madeHere(dy) && !results.has(outputs[i]!.id));
      // What users differentiate by themselves (`customGrad`) has no registered gradient, and may hold on to what it is given.
      used = getGradient(kernelName) === undefined ? [] : [...saved, ...own];
      for (const dy of own) seen.add(dy);
      return Object.fromEntries(Object.entries(gradient(dys)).map(([name, compute]) => [name, () => note(compute(), inputs[name])]));
    };
  }
}

/**
 * Makes gradients of every kind, on every engine, free memory as they go. Their values are the same.
 *
 * @remarks
 * The tensors of a backward pass otherwise live to its end: for ResNet-18 as many bytes as those of the forward pass. Passes that are differentiated again keep everything.
 * Doing it twice is the same as once.
 */
export function releaseEarly(): void {
  const running = engine() as ReturnType<typeof engine> & { [RELEASES]?: true };
  if (running[RELEASES]) return;
  const gradients = running.gradients.bind(running);
  running.gradients = (f, xs, dy, allowNoGradients) => {
    if (running.state.gradientDepth > 0) return gradients(f, xs, dy, allowNoGradients);
    const watched: typeof f = () => {
      const y = f();
      watch(running.state.activeTape as Step[], xs);
      return y;
    };
    return gradients(watched, xs, dy, allowNoGradients);
  };
  running[RELEASES] = true;
}
