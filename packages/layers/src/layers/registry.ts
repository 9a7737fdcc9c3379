import type { ConfigRegistry } from '@moe/router';

// tfjs makes a layer again from its configuration alone, so names have to be known to the whole process, as classes are to tfjs.
let registered: ConfigRegistry = {};

/** Everything that was registered so far. */
export const registeredParts = (): ConfigRegistry => registered;

/** Adds parts by name; a name that is taken gets the new meaning. */
export function registerParts({ routers, gates, losses }: ConfigRegistry): void {
  registered = {
    routers: { ...registered.routers, ...routers },
    gates: { ...registered.gates, ...gates },
    losses: { ...registered.losses, ...losses },
  };
}
