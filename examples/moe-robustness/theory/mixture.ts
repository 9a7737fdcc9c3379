// The gradient of a softmax mixture of scalar experts, in two terms: how experts change, and how their weights do.
import { topKIndices } from '@moe/core';
import { dot } from './algebra.js';

/** A mixture as seen from one input: values and gradients of the experts there, and the rows of its linear router. */
export interface MixtureHere {
  readonly values: readonly number[];
  /** `[E][d]` */
  readonly gradients: readonly ArrayLike<number>[];
  /** `[E][d]` */
  readonly router: readonly ArrayLike<number>[];
  /** Scores before the temperature, `[E]`. */
  readonly scores: readonly number[];
  readonly temperature: number;
}

/** Which weights a top-k mixture has: those of the softmax over all, or these over their sum. */
export interface Selection {
  readonly topK: number;
  readonly renormalise: boolean;
}

export function softmax(scores: readonly number[], temperature: number): number[] {
  const largest = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp((score - largest) / temperature));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / total);
}

/** Weight of every expert; 0 where it is not chosen. */
export function weightsOf(scores: readonly number[], temperature: number, { topK, renormalise }: Selection): number[] {
  const gates = softmax(scores, temperature);
  const chosen = topKIndices(gates, gates.length, topK);
  const total = renormalise ? chosen.reduce((sum, expert) => sum + gates[expert]!, 0) : 1;
  return gates.map((gate, expert) => (chosen.includes(expert) ? gate / total : 0));
}

/** Σ wᵢ vᵢ of vectors. */
const combine = (weights: readonly number[], vectors: readonly ArrayLike<number>[]): number[] => Array.from(vectors[0]!, (_, d) => weights.reduce((sum, weight, i) => sum + weight * vectors[i]![d]!, 0));

/**
 * Both terms of ∇f inside one routing cell.
 *
 * @remarks
 * Expert term Σ wᵢ ∇fᵢ. Router term (1/τ) Σ wᵢ (fᵢ − f̄)(sᵢ − s̄) where weights sum to 1, so it is a covariance; without renormalisation (V-MoE) it is (1/τ) Σ wᵢ fᵢ (sᵢ − s̄) with s̄
 * over all gates, which does not vanish where experts agree.
 */
export function gradientTerms(here: MixtureHere, selection: Selection): { readonly expert: number[]; readonly router: number[] } {
  const { values, gradients, router, scores, temperature } = here;
  const weights = weightsOf(scores, temperature, selection);
  const gates = selection.renormalise ? weights : softmax(scores, temperature);
  const centre = combine(gates, router);
  const middle = selection.renormalise ? dot(weights, values) : 0;
  const factors = weights.map((weight, i) => (weight * (values[i]! - middle)) / temperature);
  const moved = factors.reduce((a, b) => a + b, 0);
  return { expert: combine(weights, gradients), router: combine(factors, router).map((value, d) => value - moved * centre[d]!) };
}

const size = (vector: readonly number[]): number => Math.sqrt(dot(vector, vector));
const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.sqrt(Array.from(a).reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));

/** Largest distance of two of them. */
const diameter = (vectors: readonly ArrayLike<number>[]): number => Math.max(...vectors.flatMap((a, i) => vectors.slice(0, i).map((b) => apart(a, b))));

/** Bounds of the full softmax mixture, each at least the one before. */
export interface GradientBounds {
  readonly router: number;
  /** (1/τ) sd(f) sd(s), deviations over the gates. */
  readonly deviations: number;
  /** (1/τ) Δ D (1 − p_max). */
  readonly spread: number;
  readonly gradient: number;
  /** max ‖∇fᵢ‖ + (1/τ) Δ D (1 − p_max). */
  readonly slope: number;
}

export function gradientBounds(here: MixtureHere): GradientBounds {
  const { values, gradients, router, scores, temperature } = here;
  const gates = softmax(scores, temperature);
  const all = { topK: gates.length, renormalise: true };
  const terms = gradientTerms(here, all);
  const [middle, centre] = [dot(gates, values), combine(gates, router)];
  const deviation = Math.sqrt(gates.reduce((sum, gate, i) => sum + gate * (values[i]! - middle) ** 2, 0));
  const routerDeviation = Math.sqrt(gates.reduce((sum, gate, i) => sum + gate * apart(router[i]!, centre) ** 2, 0));
  const spread = ((Math.max(...values) - Math.min(...values)) * diameter(router) * (1 - Math.max(...gates))) / temperature;
  return {
    router: size(terms.router),
    deviations: (deviation * routerDeviation) / temperature,
    spread,
    gradient: size(terms.expert.map((value, d) => value + terms.router[d]!)),
    slope: Math.max(...gradients.map((gradient) => size(Array.from(gradient)))) + spread,
  };
}

/** The most that gates other than the largest can sum to, with a lead of `margin` in units of the temperature: a / (1 + a), a = (E − 1) e^(−M). */
export function doubtBound(numExperts: number, margin: number): number {
  const others = (numExperts - 1) * Math.exp(-margin);
  return others / (1 + others);
}
