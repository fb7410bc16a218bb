// `npm run bench:idle`: how often a server that is asked nothing wakes up. Counts what each of its threads did in /proc.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds } from './measure.ts';

const SECONDS = 20;
const folder = mkdtempSync(join(tmpdir(), 'healthdns-idle-'));
const file = join(folder, 'zones.yaml');
writeFileSync(
  file,
  'listen: ["127.0.0.1:5341"]\nhttp: 127.0.0.1:5342\nzones:\n  - name: idle.test\n    records:\n      - { name: www, type: A, value: 192.0.2.1 }\n',
);
const child = spawn(process.execPath, ['bin/healthdns', 'serve', file], { stdio: 'ignore' });
try {
  await sleep(5_000);
  const before = switches(child.pid!);
  const cpu = cpuSeconds(child.pid!);
  await sleep(SECONDS * 1_000);
  const after = switches(child.pid!);
  console.log('| thread | wake-ups a second |\n| --- | ---: |');
  for (const [thread, count] of after) {
    const woken = (count - (before.get(thread) ?? 0)) / SECONDS;
    if (woken > 0) console.log(`| ${thread} | ${woken.toFixed(2)} |`);
  }
  console.log(`\n${(((cpuSeconds(child.pid!) - cpu) / SECONDS) * 100).toFixed(2)} % of a core`);
} finally {
  child.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}

/** Voluntary context switches of each thread: each is a wake-up that ended in waiting again. */
function switches(pid: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? '';
    counts.set(`${name} ${task}`, Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? 0));
  }
  return counts;
}
