// Log lines for operators: one JSON object per line, to stderr. A log that nobody reads must not block the server, so lines
// wait in a bounded buffer, and are dropped and counted beyond it.
import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Messages are constant; variable data goes into the fields. */
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
  /** Lines dropped because the reader of the log does not keep up. */
  dropped(): number;
}

/** A stream that takes lines without blocking; `process.stderr` is one for a pipe (for a file it never waits long). */
export interface LogOutput {
  write(line: string): unknown;
  /** Bytes that its reader has not read yet. */
  readonly writableLength?: number;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly output?: LogOutput;
}

/** Lines waiting for a slow reader. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** Not escaped by JSON, but interpreted by terminals: DEL, C1 controls (U+009B begins a sequence as ESC [ does), order of text. */
const OBEYED = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/u;
const ALL_OBEYED = new RegExp(OBEYED, 'gu');

const escaped = (line: string): string => (OBEYED.test(line) ? line.replaceAll(ALL_OBEYED, unicodeEscapes) : line);

const unicodeEscapes = (text: string): string =>
  text.split('').reduce((all, unit) => `${all}\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`, '');

/** JSON, so that no value can forge a line or act as a control sequence on a terminal. stdout is for results. Never throws. */
export function createLogger({ level, output = process.stderr }: LogOptions): RootLogger {
  let dropped = 0;
  let reported = 0;
  const write = (line: string) => {
    if ((output.writableLength ?? 0) + line.length > MAX_BUFFERED_BYTES) {
      dropped++;
      return;
    }
    output.write(line);
  };
  const target = pino(
    {
      level,
      base: undefined,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line) {
        write(escaped(line));
        if (dropped === reported || (output.writableLength ?? 0) > MAX_BUFFERED_BYTES / 2) return;
        const lines = dropped - reported;
        reported = dropped;
        target.warn({ lines }, 'log lines dropped: the reader of the log does not keep up');
      },
    },
  );
  return {
    ...wrap(target),
    setLevel(next) {
      target.level = next;
    },
    dropped: () => dropped,
  };
}

/** A logger that discards everything. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

function wrap(target: pino.Logger): Logger {
  return {
    debug: (message, fields = {}) => target.debug(fields, message),
    info: (message, fields = {}) => target.info(fields, message),
    warn: (message, fields = {}) => target.warn(fields, message),
    error: (message, fields = {}) => target.error(fields, message),
    child: (fields) => wrap(target.child(fields)),
  };
}
