// What is held of many names, without sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatName, parseName } from '../../src/dns/name.ts';
import { CLASS, TYPE } from '../../src/dns/types.ts';
import { createHeld } from '../../src/node/held.ts';
import type { Change } from '../../src/plane/records.ts';
import { fakeClock } from '../support/fake-clock.ts';

const TTL_SECONDS = 5;

function holdNames(count: number) {
  const clock = fakeClock();
  const published: Change[] = [];
  let subscriptions = 0;
  const held = createHeld({
    ...{ clock, random: () => 0, hashSeed: 1, zones: [parseName('test.')] },
    limits: { rrsets: count, bytes: 1e6, unusedSeconds: 300, negativeSeconds: 5 },
    subscriber: { subscribe: () => ++subscriptions, unsubscribe() {} },
    publish: (change) => published.push(change),
  });
  const names = Array.from({ length: count }, (_, i) => parseName(`n${i}.test.`));
  for (const name of names) {
    held.want(name, TYPE.A);
    const record = { name, type: TYPE.A, class: CLASS.IN, ttlSeconds: TTL_SECONDS, weight: 1 };
    const changes = [{ action: 'add' as const, ...record, rdata: Uint8Array.of(10, 0, 0, 1) }];
    held.deliver({ name, type: TYPE.A, isPartial: false, changes, policy: undefined, errors: [] });
  }
  /** What one turn publishes: "n1.test. 4", with the TTL, or "n1.test. gone". */
  const ageSome = (most: number) => {
    published.length = 0;
    const isLost = held.age(most);
    const lines = published.map((change) => {
      if (change.kind === 'remove-name') return `${formatName(change.name)} gone`;
      assert.equal(change.kind, 'replace-name');
      const { name, rrsets } = (change as Extract<Change, { kind: 'replace-name' }>).records;
      return `${formatName(name)} ${rrsets[0].ttlSeconds}`;
    });
    return { isLost, lines };
  };
  return { held, clock, names: names.map((name) => formatName(name)), ageSome };
}

test('of many names that are lost, each turn ages some, and a round reaches each once', async () => {
  const { held, clock, names, ageSome } = holdNames(100);
  held.lost(clock.monotonicMs());
  const seen: string[] = [];
  for (const turn of [1, 2, 3]) {
    const { isLost, lines } = ageSome(30);
    assert.deepEqual([isLost, lines.length], [undefined, 30], `turn ${turn}`);
    seen.push(...lines);
  }
  const last = ageSome(30);
  assert.equal(last.isLost, true);
  assert.deepEqual([...seen, ...last.lines].sort(), names.map((name) => `${name} ${TTL_SECONDS - 1}`).sort());
  await clock.advance(TTL_SECONDS * 1000);
  const { isLost, lines } = ageSome(1_000);
  assert.deepEqual([isLost, lines.sort()], [false, names.map((name) => `${name} gone`).sort()]);
  assert.equal(held.counts.expired, 100);
});

test('a session that is lost during a round begins another, which leaves nothing out', () => {
  const { held, clock, names, ageSome } = holdNames(10);
  held.lost(clock.monotonicMs());
  ageSome(6);
  held.lost(clock.monotonicMs());
  assert.deepEqual(ageSome(1_000).lines.length, names.length);
});
