// test-health-service-discovery.sh, run by tests.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { repository, temporaryFolder } from './command.ts';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs it to its end, and sees that it has stopped all that it started. */
export async function script(
  t: TestContext,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  const folder = await temporaryFolder(t);
  const env = { ...process.env, TMPDIR: folder, ...environment };
  const child = spawn(join(repository, 'test-health-service-discovery.sh'), args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGTERM')); // it stops what it started
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  const [code] = await once(child, 'close');
  assert.deepEqual(processesOf(folder), []);
  return { code, output };
}

/** Command lines of the processes that name a folder, or work in it. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return `${command} (in ${readlinkSync(`/proc/${pid}/cwd`)})`;
      } catch {
        return ''; // it ended meanwhile
      }
    })
    .filter((command) => command.includes(folder));
}

/** It said what it should: one of so many addresses went, and came back. */
export function assertVerified({ code, output }: Ran, address: string, tasks: number): void {
  assert.equal(code, 0, output);
  const dots = address.replaceAll('.', '\\.');
  const rows = output.split('\n').filter((line) => /^ {2}(\d+\.){3}\d+\t/.test(line));
  assert.equal(rows.length, tasks, output);
  assert.equal(rows.filter((line) => new RegExp(`^ {2}${dots}\\d+\t- +\t${dots}\\d+$`).test(line)).length, 1, output);
  assert.match(output, / UNHEALTHY\n/);
}
