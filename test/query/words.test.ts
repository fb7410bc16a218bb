import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE } from '../../src/dns/types.ts';
import { parseQueryWords, parseServer, resolveServer } from '../../src/query/words.ts';

test('the words of a query may be in any order', () => {
  const expected = { name: 'api.x', type: TYPE.SRV, server: '127.0.0.1', port: 5300 };
  assert.deepEqual(parseQueryWords(['api.x', 'SRV', '@127.0.0.1:5300']), expected);
  assert.deepEqual(parseQueryWords(['@127.0.0.1:5300', 'api.x', 'srv']), expected);
});

test('omitted words of a query have defaults', () => {
  assert.deepEqual(parseQueryWords(['api.x']), { name: 'api.x', type: TYPE.A, server: '127.0.0.1', port: 1053 });
});

test('an address without a type queries its reverse name', () => {
  assert.equal(parseQueryWords(['10.1.2.3']).name, '3.2.1.10.in-addr.arpa.');
  assert.equal(parseQueryWords(['10.1.2.3']).type, TYPE.PTR);
  assert.match(parseQueryWords(['::1', 'PTR']).name, /^1\.0\.0.*ip6\.arpa\.$/);
  assert.equal(parseQueryWords(['10.1.2.3', 'A']).name, '10.1.2.3');
});

test('a server is an address or a name, with or without a port', () => {
  assert.deepEqual(parseServer('10.0.0.1'), { server: '10.0.0.1', port: 53 });
  assert.deepEqual(parseServer('ns.example:5300'), { server: 'ns.example', port: 5300 });
  assert.deepEqual(parseServer('::1'), { server: '::1', port: 53 });
  assert.deepEqual(parseServer('[::1]:1053'), { server: '::1', port: 1053 });
});

test('invalid words of a query are reported', () => {
  const cases: readonly [words: string[], message: RegExp][] = [
    [[], /missing argument: name\. Try: healthdns query/],
    [['a', 'B'], /"B" is not a record type/],
    [['a', 'A', 'c'], /unexpected argument "c"/],
    [['a', '@x', '@y'], /one server is asked at a time/],
    [['a', '@'], /"@" is not a server/],
    [['a', '@x:0'], /"@x:0" is not a server/],
    [['a', '@x:99999'], /is not a server/],
    [['a', '@[x]:53'], /is not a server/],
  ];
  for (const [words, message] of cases) assert.throws(() => parseQueryWords(words), { name: 'UsageError', message });
});

test('a server given as an address is not looked up', async () => {
  assert.deepEqual(await resolveServer('::1', 53), { address: '::1', port: 53, family: 6 });
});
