import { destination, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Says what happened, for operators. Messages are constant text; what varies goes into the fields. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A logger that adds these fields to each line: `log.child({ source: 'kubernetes/prod' })`. */
  child(fields: object): Logger;
}

export interface RootLogger extends Logger {
  /** Also changes loggers made by `child` later, not earlier ones. */
  setLevel(level: LogLevel): void;
}

/** What the log lines are written to: a file descriptor, or anything with `write` (tests). */
export interface LogOptions {
  readonly level: LogLevel;
  readonly output?: { write(line: string): void };
}

/**
 * One JSON object a line (so no value can forge a line or reach a terminal as a control sequence), to stderr: stdout
 * belongs to what a person asked for. Never throws.
 */
export function createLogger({ level, output }: LogOptions): RootLogger {
  const target = pino(
    {
      level,
      base: undefined,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output ?? standardError(),
  );
  return {
    ...wrap(target),
    setLevel(next) {
      target.level = next;
    },
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

function standardError() {
  const stream = destination({ dest: 2, sync: true });
  // Whoever read the log has gone away (EPIPE). Answers matter more than the log, so this is not a reason to die, and
  // there is nowhere left to say it.
  stream.on('error', () => {});
  return stream;
}

function wrap(target: pino.Logger): Logger {
  return {
    debug: (message, fields = {}) => target.debug(fields, message),
    info: (message, fields = {}) => target.info(fields, message),
    warn: (message, fields = {}) => target.warn(fields, message),
    error: (message, fields = {}) => target.error(fields, message),
    child: (fields) => wrap(target.child(fields)),
  };
}
