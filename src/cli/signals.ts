import { EXIT } from './exit-code.ts';
import type { ServeSignals } from './serve.ts';

/** Two signals within this time are one. */
const ECHO_MS = 300;

/** SIGTERM and SIGINT stop, SIGHUP reloads. A second signal to stop ends the process at once. */
export function processSignals(): ServeSignals {
  return {
    onStop(callback) {
      let firstMs: number | undefined;
      const stop = () => {
        // A second signal requests an immediate exit. But npm forwards a Ctrl-C that its child has received too.
        if (firstMs !== undefined && performance.now() - firstMs > ECHO_MS) process.exit(EXIT.FAILED);
        if (firstMs === undefined) callback();
        firstMs ??= performance.now();
      };
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
    },
    onReload: (callback) => void process.on('SIGHUP', callback),
  };
}
