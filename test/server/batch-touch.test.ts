import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeMessage } from '../../src/dns/message/message.ts';
import { hashName } from '../../src/dns/name-hash.ts';
import { createPacketMemory } from '../../src/native/packet-memory.ts';
import { createBatchTouch } from '../../src/server/table/batch-touch.ts';
import { createTable } from '../../src/server/table/table.ts';
import { wireName } from '../support/dns-arbitraries.ts';

const SEED = 42;
const SLOTS = 4;

test('what is touched is where the table would look for the names that are asked', () => {
  const memory = createPacketMemory(SLOTS, 512);
  let touched: number[] = [];
  const table = {
    ...createTable(),
    touch: (hashes: Int32Array, count: number) => (touched = [...hashes].slice(0, count)),
  };
  const batch = createBatchTouch(memory, table, SEED);
  const property = fc.property(fc.array(wireName, { minLength: 1, maxLength: SLOTS }), (names) => {
    for (const [slot, name] of names.entries()) {
      const query = composeMessage({ questions: [{ name, type: 1, class: 1 }] });
      memory.queries[slot]!.set(query);
      batch.note(slot, query.length);
    }
    batch.touch(names.length);
    assert.deepEqual(
      touched,
      names.map((name) => hashName(name, SEED)),
    );
  });
  fc.assert(property);
});

test('packets of any bytes can be noted and touched', () => {
  const memory = createPacketMemory(SLOTS, 512);
  const batch = createBatchTouch(memory, createTable(), SEED);
  const property = fc.property(fc.uint8Array({ maxLength: 600 }), (packet) => {
    memory.queries[0]!.set(packet);
    batch.note(0, packet.length);
    batch.touch(1);
  });
  fc.assert(property);
});
