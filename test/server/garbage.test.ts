import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { serveExample } from '../support/served-example.ts';

setFlagsFromString('--expose-gc');
const collectAll = runInNewContext('gc') as () => void;

const QUESTIONS = [
  ['api.example.test.', 1],
  ['api.example.test.', 28],
  ['_http._tcp.api.example.test.', 33],
  ['www.example.test.', 1],
  ['any.w.example.test.', 1],
  ['10-1-2-3.prod.pod.example.test.', 1],
  ['api.example.test.', 16],
  ['nothing.example.test.', 1],
  ['www.example.com.', 1],
] as const;

test('1,000,000 hits, NODATA, NXDOMAIN and refusals cause no major collection and hardly a minor one', async () => {
  const plane = createInProcessPlane({ packetSlots: 64 });
  await serveExample(plane);
  const edns = { version: 0, udpBytes: 1232, dnssecOk: false, options: [] };
  const queries = QUESTIONS.flatMap(([name, type]) =>
    [undefined, edns].map((opt) =>
      composeMessage({ id: 1, questions: [{ name: parseName(name), type, class: 1 }], edns: opt }),
    ),
  );
  const { engine } = plane;
  const ask = (count: number) => {
    for (let i = 0; i < count; i++) {
      const slot = i % queries.length;
      assert.ok(Number(engine.respondSlot(slot, queries[slot].length, slot, false)) > 0);
    }
  };
  queries.forEach((query, slot) => {
    engine.memory.queries[slot].set(query);
  });
  ask(200_000); // until everything is compiled
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const collections: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      collections.push((entry as unknown as { detail: { kind: number } }).detail.kind);
  });
  await turn();
  collectAll(); // a collection of what the set-up left must not fall due meanwhile
  await turn();
  observer.observe({ entryTypes: ['gc'] });
  ask(1_000_000);
  await turn();
  await turn();
  observer.disconnect();
  const minor = collections.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
  assert.equal(collections.length - minor, 0, 'major collections');
  assert.ok(minor <= 5, `${minor} minor collections`);
});
