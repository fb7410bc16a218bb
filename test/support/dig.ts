// The real dig, asked about answers.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Dig {
  readonly status: string;
  /** Presentation form without TTL, "name TYPE rdata", sorted. */
  readonly answer: readonly string[];
  readonly flags: readonly string[];
}

/** `dig @127.0.0.1 -p PORT ARGUMENTS…`; rejects where nothing answers. */
export async function dig(port: number, ...args: string[]): Promise<Dig> {
  const { stdout } = await run('dig', [
    '@127.0.0.1',
    '-p',
    String(port),
    '+tries=2',
    '+timeout=2',
    '+noall',
    '+comments',
    '+answer',
    ...args,
  ]);
  const answer = stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.split(/\s+/))
    .map(([name, , , type, ...rdata]) => `${name} ${type} ${rdata.join(' ')}`);
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none',
    answer: answer.sort(),
    flags: (/;; flags: ([a-z ]*);/.exec(stdout)?.[1] ?? '').split(' '),
  };
}

/** The addresses dig shows for a name, sorted. */
export async function digAddresses(port: number, name: string, type = 'A'): Promise<string[]> {
  return (await dig(port, name, type)).answer.map((line) => line.split(' ')[2]).sort();
}
