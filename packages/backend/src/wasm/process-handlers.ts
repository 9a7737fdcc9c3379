const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs the start of the wasm engine without letting it change how a Node program dies.
 *
 * @remarks
 * tfjs' module adds handlers for uncaught errors that throw them again from its own single, very long source line, which Node then
 * prints in front of the message. Handlers that the program itself has stay.
 */
export async function withoutProcessHandlers<T>(start: () => Promise<T>): Promise<T> {
  if (typeof process === 'undefined' || typeof process.listeners !== 'function') return start();
  const before = EVENTS.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')));
  try {
    return await start();
  } finally {
    EVENTS.forEach((event, i) => {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (!before[i]!.has(listener)) process.removeListener(event, listener);
      }
    });
  }
}
