import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { TYPE } from '../../src/dns/types.ts';
import { counterReadings } from '../../src/plane/counter-readings.ts';
import { composeQuestion } from '../support/forwarding.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { serveExample, serveRRset } from '../support/served-example.ts';

const NAME = 'x.example.test.';
/** Of a response with a single record of this name, but for the rdata. */
const OTHER_BYTES = 12 + parseName(NAME).length + 4 + 2 + 10;
const TOTALS = { threads: 1, restarts: 0, hangs: 0, badChanges: 0, waitingChanges: 0, slotsInUse: 0 };

test('a response is counted by its size, with an upper bound in its own bucket', async () => {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const sizes = [64, 65, 128, 129, 512, 1232, 1233, 4096, 65_535];
  for (const size of sizes) {
    await serveRRset(plane, NAME, TYPE.NULL, [new Uint8Array(size - OTHER_BYTES)]);
    const { bytes } = composeQuestion(`${NAME} NULL`, { edns: false });
    assert.equal(plane.respond(bytes, 'tcp')?.length, size);
  }
  const reading = counterReadings([plane.counters], TOTALS).find(
    ({ name, labels }) => name === 'healthdns_dns_response_size_bytes' && labels?.[0] === 'tcp',
  );
  assert.deepEqual(reading?.value, {
    upperBounds: [64, 128, 256, 512, 1232, 4096, 65_535],
    counts: [1, 2, 1, 1, 1, 2, 1, 0],
    sum: sizes.reduce((sum, size) => sum + size),
  });
});
