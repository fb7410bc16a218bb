import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/log.ts';
import { KnownObjects } from '../../../src/sources/kubernetes/watch/known-objects.ts';
import type { WatchedKind } from '../../../src/sources/kubernetes/watch/watched-kind.ts';
import { createStatusBoard } from '../../../src/sources/status.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** Objects are "NAME VERSION TEXT"; what each says is its text. */
function setUp() {
  const said = new Map<string, string>();
  const kind: WatchedKind = {
    resource: 'things',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    essential: true,
    keyOf: (_namespace, name) => name,
    replace(key, _metadata, object) {
      said.set(key, String(object.text));
      return undefined;
    },
    remove: (key) => void said.delete(key),
  };
  const report = createStatusBoard(fakeClock()).add('kubernetes/test', []).kind('things', true);
  let histories = 0;
  const known = new KnownObjects(kind, report, silentLogger, () => histories++);
  const object = (line: string) => {
    const [name, resourceVersion, text] = line.split(' ');
    return { metadata: { name, resourceVersion }, text };
  };
  return {
    known,
    histories: () => histories,
    event: (line: string) => known.upsert(object(line)),
    list(resourceVersion: string, ...lines: string[]) {
      known.beginList();
      for (const line of lines) known.upsert(object(line));
      return known.endList(resourceVersion);
    },
    said: () => [...said].map(([name, text]) => `${name} ${text}`).sort(),
  };
}

test('a list from a lagging server is rejected, and the next one from an up-to-date server is accepted', () => {
  const { list, event, said } = setUp();
  assert.equal(list('100', 'a 90 one', 'b 91 one'), true);
  event('a 101 two');
  assert.equal(list('95', 'a 90 one', 'b 91 one'), false);
  assert.deepEqual(said(), ['a two', 'b one']);
  assert.equal(list('102', 'a 101 two', 'c 102 one'), true);
  assert.deepEqual(said(), ['a two', 'c one']);
});

test('after a restore the second list is accepted, although its objects are older than, or as old as, the known ones', () => {
  const { list, event, said, known } = setUp();
  assert.equal(list('100', 'a 90 one', 'b 91 one', 'c 92 one'), true);
  event('a 101 two');
  event('b 102 two');
  const restored = ['a 90 one', 'b 102 other', 'd 95 new'];
  assert.equal(list('100', ...restored), false);
  assert.equal(list('100', ...restored), true);
  assert.deepEqual(said(), ['a one', 'b other', 'd new']);
  event('a 101 three');
  assert.deepEqual(said(), ['a three', 'b other', 'd new']);
  assert.equal(known.advance('101'), true);
});

test('an object older than known makes a list doubtful, however new the list is', () => {
  const { list, event, said } = setUp();
  assert.equal(list('100', 'a 90 one'), true);
  event('a 110 two');
  assert.equal(list('5000', 'a 90 one'), false);
  assert.equal(list('5000', 'a 90 one'), true);
  assert.deepEqual(said(), ['a one']);
});

test('a server that reports an older version than before is detected', () => {
  const { list, event, known } = setUp();
  list('100', 'a 90 one');
  event('a 120 two');
  assert.deepEqual([known.advance('119'), known.advance('120'), known.advance('121')], [false, true, true]);
  assert.equal(known.advance('no number'), true);
});

test('the list after one that was too old is accepted, and everything else is listed again', () => {
  const { list, event, histories, known } = setUp();
  list('100', 'a 90 one');
  event('a 101 two');
  assert.deepEqual([list('95', 'a 90 one'), histories()], [false, 0]);
  assert.deepEqual([list('95', 'a 90 one'), histories()], [true, 1]);
  assert.deepEqual(
    [known.isAhead('94'), known.isAhead('95'), known.isBehind('95'), known.isBehind('96')],
    [true, false, false, true],
  );
  assert.deepEqual([list('96', 'a 90 one'), histories()], [true, 1]);
});

test('versions that are not numbers are neither ahead nor behind, and before the first every number is ahead', () => {
  const { list, known } = setUp();
  assert.deepEqual([known.isBehind('7'), known.isBehind('x'), known.isAhead('7')], [true, false, false]);
  list('100', 'a 90 one');
  assert.deepEqual([known.isBehind('x'), known.isBehind(''), known.isAhead('x')], [false, false, false]);
});
