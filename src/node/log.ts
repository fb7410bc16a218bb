// Log lines of an agent, as those of log.ts: JSON, to stderr, dropped where nobody reads them. A library for them would take more
// memory than the names that a node holds.
import type { Logger, LogLevel } from '../log.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
/** Lines waiting for a slow reader. */
const MAX_BUFFERED_BYTES = 256 * 1024;

export interface LogStream {
  write(line: string): unknown;
  readonly writableLength: number;
}

export function createNodeLogger(level: LogLevel, now: () => number, to: LogStream = process.stderr): Logger {
  const least = LEVELS.indexOf(level);

  const loggerWith = (common: object): Logger => {
    const at =
      (name: Exclude<LogLevel, 'silent'>) =>
      (message: string, fields: object = {}) => {
        if (LEVELS.indexOf(name) < least || to.writableLength > MAX_BUFFERED_BYTES) return;
        const time = new Date(now()).toISOString();
        to.write(`${JSON.stringify({ level: name, time, ...common, ...fields, message })}\n`);
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => loggerWith({ ...common, ...fields }),
    };
  };
  return loggerWith({});
}
