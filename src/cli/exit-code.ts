/** Exit codes of the command line; docs/cli.md and the help texts list them. */
export const EXIT = {
  OK: 0,
  /** The configuration is invalid, a port is in use, the server is unreachable, … */
  FAILED: 1,
  /** The command line is invalid. */
  USAGE: 2,
  /** explain: the server does not know the name. */
  UNKNOWN_NAME: 3,
  /** shadow: answers differ without a documented reason. */
  DIFFERENT: 3,
  /** shadow: no difference, but not all of the input could be read. */
  INCOMPLETE: 4,
} as const;

/** An error that is printed as one line, without a stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}
