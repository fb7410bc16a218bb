// When the answer of one server to one question changes: answer-poller.c asks, only while somebody waits, so that watching
// does not make the server busy.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { composeMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';

export interface AnswerPoller {
  /** Resolves with the time (`nowMs`) of the first answer that has the address, or has not; undefined after `withinMs`. */
  until(address: string, isThere: boolean, withinMs: number): Promise<number | undefined>;
  /** Mean milliseconds from one question to the next: half of it, on average, is how late a change is seen. */
  intervalMs(): number;
  close(): void;
}

/** Milliseconds of a clock that all processes share. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export function pollAnswers(port: number, name: string): AnswerPoller {
  const query = composeMessage({ questions: [{ name: parseName(name), type: TYPE.A, class: CLASS.IN }] });
  const child = spawn(compiled(), [String(port), Buffer.from(query).toString('hex')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  let [pauses, pausedMs] = [0, 0];
  return {
    until: (address, isThere, withinMs) =>
      new Promise((resolve, reject) => {
        const ended = () => reject(new Error(`answer-poller ended with ${child.exitCode}`));
        child.once('exit', ended);
        lines.once('line', (line) => {
          child.off('exit', ended);
          const [atMs, count, ms] = line.split(' ').map(Number) as [number, number, number];
          pauses += count;
          pausedMs += ms;
          resolve(atMs < 0 ? undefined : atMs);
        });
        child.stdin.write(`${address} ${Number(isThere)} ${withinMs}\n`);
      }),
    intervalMs: () => pausedMs / Math.max(1, pauses),
    close: () => child.stdin.end(),
  };
}

let program: string | undefined;

function compiled(): string {
  if (program !== undefined) return program;
  const folder = mkdtempSync(join(tmpdir(), 'healthdns-poller-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  program = join(folder, 'answer-poller');
  execFileSync('cc', ['-O2', '-o', program, 'bench/answer-poller.c']);
  return program;
}
