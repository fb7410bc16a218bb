import assert from 'node:assert/strict';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../../src/log.ts';
import { createRegistry } from '../../../src/registry/registry.ts';
import { Recorder } from '../../../src/sources/kubernetes/snapshot/recorder.ts';
import { SnapshotKeeper } from '../../../src/sources/kubernetes/snapshot/snapshot.ts';
import {
  DamagedSnapshot,
  readSnapshot,
  UnusableSnapshot,
  writeSnapshot,
} from '../../../src/sources/kubernetes/snapshot/snapshot-file.ts';
import { temporaryFolder } from '../../support/command.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { fact, instance } from '../../support/model.ts';
import { kubernetesService } from '../../support/zone-setup.ts';

const OF = 'kubernetes/test cluster.local.';
const KEY = { kind: 'services', key: 'kubernetes/test/cluster.local./prod/db' };
const LINES = [{ service: kubernetesService('prod/db') }, KEY];

test('a snapshot that cannot be written completely leaves the previous one, and nothing beside it', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'snapshot');
  await writeSnapshot(file, OF, 1_000, LINES);
  const full = function* () {
    yield LINES[0]!;
    throw new Error('no space left on device');
  };
  await assert.rejects(writeSnapshot(file, OF, 2_000, full()), /no space left/);
  assert.equal((await readSnapshot(file, OF))?.takenMs, 1_000);
  assert.deepEqual(await readdir(folder), ['snapshot']);
});

test('a file of another program is ignored without being read', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  for (const content of [Buffer.alloc(1 << 20, 'x'), Buffer.alloc(9_000), Buffer.from('[]\n'), Buffer.from('')]) {
    await writeFile(file, content);
    await assert.rejects(readSnapshot(file, OF), UnusableSnapshot);
  }
  assert.equal(await readSnapshot(`${file}-absent`, OF), undefined);
});

function keeper(file: string, nowMs: number, isSynced = true, maxAgeSeconds = 60) {
  const clock = fakeClock(nowMs);
  const warnings: string[] = [];
  const told: (number | 'expired')[] = [];
  const keys: string[] = [];
  let slot = 1;
  const registry = createRegistry({ allocate: () => slot++, set() {} });
  const recorder = new Recorder(registry);
  const made = new SnapshotKeeper({
    settings: { file, maxAgeSeconds },
    of: OF,
    clock,
    log: {
      ...silentLogger,
      warn: (message: string) => warnings.push(message),
      error: (message: string, fields?: object) =>
        warnings.push(`${message}: ${(fields as { reason?: string })?.reason}`),
    },
    report: {
      isSynced: () => isSynced,
      heardMs: () => clock.now(),
      restored: (takenMs) => void told.push(takenMs),
      expired: () => void told.push('expired'),
    },
    lines: () => [...recorder.statements(), KEY],
    restore(lines) {
      for (const some of recorder.restore(lines).values()) keys.push(...some);
    },
    withdraw: () => recorder.withdrawRestored(),
  });
  return { made, warnings, told, keys, clock, registry, recorder };
}

test('an unwritable folder is reported, and changes nothing else', async (t) => {
  const folder = join(await temporaryFolder(t), 'not-a-folder');
  await writeFile(folder, '');
  const { made, warnings } = keeper(join(folder, 'snapshot'), 1_000_000);
  await made.restore();
  await made.stop();
  assert.deepEqual(warnings, ['snapshot cannot be used', 'snapshot could not be written']);
});

test('a snapshot from the future is served no longer than the limit', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  await writeSnapshot(file, OF, 9_000_000, LINES);
  const { made, told, clock } = keeper(file, 1_000_000, false);
  await made.restore();
  await clock.advance(59_999);
  assert.deepEqual(told, [9_000_000]);
  await clock.advance(1);
  assert.deepEqual(told, [9_000_000, 'expired']);
  await made.stop();
});

test('objects known only from a snapshot are withdrawn when it expires; objects confirmed since stay', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  const [heard, unheard] = [kubernetesService('prod/heard'), kubernetesService('prod/unheard')];
  const facts = [fact('UNHEALTHY', 'pod')];
  const groupOf = ({ key }: { key: string }, address: string) => ({
    group: `group of ${key}`,
    serviceKey: key,
    instances: [instance('a', address, { subjects: [`pod/${key}`], facts: [] })],
  });
  await writeSnapshot(file, OF, 1_000_000, [
    ...[{ service: heard }, groupOf(heard, '10.0.0.1'), { subject: `pod/${heard.key}`, source: 'pod' as const, facts }],
    ...[{ service: unheard }, groupOf(unheard, '10.0.0.2')],
    { subject: 'pod/nobody', source: 'pod' as const, facts },
  ]);
  const { made, clock, registry, recorder } = keeper(file, 1_000_000, false);
  await made.restore();
  const known = () =>
    [...registry.services()].map(({ key, service, instances }) => [key, service !== undefined, instances.size]);
  assert.deepEqual(known().sort(), [
    [heard.key, true, 1],
    [unheard.key, true, 1],
  ]);
  const again = groupOf(heard, '10.0.0.1');
  recorder.replaceService(heard);
  recorder.replaceGroup(again.group, again.serviceKey, again.instances);
  recorder.replaceFacts(`pod/${heard.key}`, 'pod', facts);
  await clock.advance(60_000);
  assert.deepEqual(known(), [[heard.key, true, 1]]);
  assert.deepEqual([registry.factsOf(`pod/${heard.key}`).length, registry.factsOf('pod/nobody').length], [1, 0]);
  assert.deepEqual([...recorder.statements()].length, 3, 'nor would the next snapshot say it');
  await made.stop();
});

test('a limit longer than the longest timer is respected', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  await writeSnapshot(file, OF, 1_000_000, LINES);
  const yearSeconds = 31_536_000;
  const { made, told, clock } = keeper(file, 1_000_000, false, yearSeconds);
  const delaysMs: number[] = [];
  const { setTimeout } = clock;
  const noting: typeof setTimeout = (callback, delayMs) => {
    delaysMs.push(delayMs);
    return setTimeout(callback, delayMs);
  };
  Object.assign(clock, { setTimeout: noting });
  await made.restore();
  await made.stop();
  assert.ok(Math.max(...delaysMs) < 2 ** 31, 'Node fires longer ones at once');
  assert.deepEqual(told, [1_000_000]);
});

test('a snapshot with any byte changed, or truncated anywhere, is set aside, and none of it is restored', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'snapshot');
  await writeSnapshot(file, OF, 1_000_000, LINES);
  const whole = await readFile(file);
  const header = whole.indexOf('\n');
  const damages: Buffer[] = [];
  for (let at = header + 1; at < whole.length; at += 7) {
    const flipped = Buffer.from(whole);
    flipped[at] ^= 1;
    damages.push(flipped, whole.subarray(0, at));
  }
  for (const damage of damages) {
    await writeFile(file, damage);
    const { made, told, keys, warnings, registry } = keeper(file, 1_000_000, false);
    await made.restore();
    await made.stop();
    assert.deepEqual([told, keys, registry.size().services], [[], [], 0]);
    assert.match(warnings.join(), /^snapshot is damaged and is not used: /);
    assert.deepEqual([await readdir(folder), await readFile(`${file}.damaged`)], [['snapshot.damaged'], damage]);
  }
});

test('a changed digit of the header is detected', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  await writeSnapshot(file, OF, 1_000_000, LINES);
  await writeFile(file, (await readFile(file, 'utf8')).replace('1000000', '1000001'));
  await assert.rejects(readSnapshot(file, OF), DamagedSnapshot);
});

test('a snapshot of which the registry rejects a part is withdrawn', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  const group = { group: 'g', serviceKey: KEY.key, instances: [null] };
  await writeSnapshot(file, OF, 1_000_000, [...LINES, group]);
  const { made, told, keys, registry } = keeper(file, 1_000_000, false);
  await made.restore();
  await made.stop();
  assert.deepEqual([told, keys, registry.size().services], [[], [], 0]);
});

test('texts keep line separators that only JavaScript recognizes', async (t) => {
  const file = join(await temporaryFolder(t), 'snapshot');
  const lines = [{ kind: 'pods', key: 'a\u2028b\rc' }];
  await writeSnapshot(file, OF, 1_000_000, lines);
  assert.deepEqual((await readSnapshot(file, OF))?.lines, lines);
});

test('temporary files of killed processes are removed, those of others stay', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'snapshot');
  for (const name of ['snapshot.7.tmp', 'snapshot.8.tmp', 'snapshot.x.tmp', 'other.7.tmp'])
    await writeFile(join(folder, name), '');
  await utimes(join(folder, 'snapshot.7.tmp'), 1, 1);
  await utimes(join(folder, 'other.7.tmp'), 1, 1);
  await utimes(join(folder, 'snapshot.x.tmp'), 1, 1);
  const { made } = keeper(file, Date.now(), false);
  await made.restore();
  await made.stop();
  assert.deepEqual((await readdir(folder)).sort(), ['other.7.tmp', 'snapshot.8.tmp', 'snapshot.x.tmp']);
});
