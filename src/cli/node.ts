// `healthdns node --config FILE`, run before the command line is loaded, to save memory on the node. program.ts
// defines its help, and rejects other arguments after `node`.
import { EXIT } from './exit-code.ts';
import { processSignals } from './signals.ts';

const FLAG = '--config';

export function nodeOptions(argv: readonly string[]) {
  const file = fileOf(argv.slice(2));
  if (file === undefined) return undefined;
  const { onStop } = processSignals();
  return {
    file,
    onStop,
    out: (line: string) => void process.stdout.write(`${line}\n`),
    err: (line: string) => void process.stderr.write(`${line}\n`),
  };
}

function fileOf([command, flag = '', value, ...more]: readonly string[]): string | undefined {
  if (command !== 'node' || more.length > 0) return undefined;
  if (flag === FLAG) return value;
  return value === undefined && flag.startsWith(`${FLAG}=`) ? flag.slice(FLAG.length + 1) : undefined;
}

/** Output is flushed first; a handle that is left does not keep the process alive. */
export function endWith(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), code === EXIT.OK ? 0 : 100);
}
