/**
 * Makes a function that computes the same in less time, such as `jit` of `@moe/backend`, or `(fn) => fn`.
 *
 * @remarks
 * Given functions take tensors, and return tensors or plain objects of them; all they close over are weights and settings. They read no values and draw nothing,
 * as long as the model that they run does neither.
 */
export type Compile = <F extends (...args: never[]) => unknown>(fn: F) => F;
