/** Whether a weight belongs to a router, by its name. */
export type RouterWeights = (name: string) => boolean;

/**
 * The weights of routers as `@moe/layers` names them: those of each layer's router, and of gate features that several layers share.
 *
 * @example
 * isRouterWeight('layer4.0/router/kernel'); // true
 * isRouterWeight('layer4.0/expert1/conv1/kernel'); // false
 */
export const isRouterWeight: RouterWeights = (name) => {
  const [layer, ...rest] = name.split('/');
  return layer === 'gate' || rest.includes('router');
};
