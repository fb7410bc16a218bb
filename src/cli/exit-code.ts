/** What the command line's exit codes mean; docs/cli.md and the help texts list them. */
export const EXIT = {
  OK: 0,
  /** The configuration is wrong, a port is in use, the server asked is not there, … */
  FAILED: 1,
  /** The command line itself is wrong. */
  USAGE: 2,
  /** explain: the server knows nothing of the name. */
  UNKNOWN_NAME: 3,
} as const;

/** An error whose message is all that a person needs: printed as one line, without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}
