import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeMessage } from '../../src/dns/message/message.ts';
import { hashName } from '../../src/dns/name-hash.ts';
import { createPacketMemory } from '../../src/native/packet-memory.ts';
import { createCounters } from '../../src/plane/counters.ts';
import { createReasons } from '../../src/server/answer/reasons.ts';
import { createResponder } from '../../src/server/answer/respond.ts';
import { createZones } from '../../src/server/table/lookup.ts';
import { createTable, type Table } from '../../src/server/table/table.ts';
import { wireName } from '../support/dns-arbitraries.ts';
import { RESPONDER } from '../support/transports.ts';

const SEED = 42;
const SLOTS = 4;

function responderOver(table: Table) {
  return createResponder({
    memory: createPacketMemory(SLOTS, 512),
    table,
    zones: createZones(),
    slots: new Uint8Array(8),
    reasons: createReasons(),
    counters: createCounters(),
    settings: RESPONDER,
    hashSeed: SEED,
    rotationSeed: 1,
    onError(error) {
      throw error;
    },
  });
}

test('touching reads where the table looks up the names that were asked', () => {
  let touched: number[] = [];
  const responder = responderOver({
    ...createTable(),
    touch: (hashes: Int32Array, count: number) => (touched = [...hashes].slice(0, count)),
  });
  const property = fc.property(fc.array(wireName, { minLength: 1, maxLength: SLOTS }), (names) => {
    for (const [slot, name] of names.entries()) {
      const query = composeMessage({ questions: [{ name, type: 1, class: 1 }] });
      responder.memory.queries[slot]!.set(query);
      responder.note(slot, query.length);
    }
    responder.touch(names.length);
    assert.deepEqual(
      touched,
      names.map((name) => hashName(name, SEED)),
    );
  });
  fc.assert(property);
});

test('packets of any bytes can be prefetched', () => {
  const responder = responderOver(createTable());
  const property = fc.property(fc.uint8Array({ maxLength: 600 }), (packet) => {
    responder.memory.queries[0]!.set(packet);
    responder.note(0, packet.length);
    responder.touch(1);
  });
  fc.assert(property);
});
