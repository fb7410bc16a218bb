// Registers instances in a LevelDB state without end and prints each one's id once it is acknowledged; the crash test
// kills it at any moment. Arguments: the folder, the first number.

import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { openLevelStore } from '../../src/cloudmap/level-store.ts';

const [, , folder, first] = process.argv;
const state = await openState(await openLevelStore(folder!), (error) => {
  throw error;
});

/** Several at once, so that a write is shared by many requests, as it is under load. */
async function writer(lane: number): Promise<never> {
  for (let i = Number(first); ; i++) {
    const id = `${lane}-${i}`;
    const value = {
      serviceId: 'srv-1',
      id,
      attributes: { AWS_INSTANCE_IPV4: '10.0.0.1', pad: 'x'.repeat(200) },
      registeredMs: i,
    };
    const changes = [{ collection: 'instance' as const, key: `srv-1/${id}`, value }];
    await state.mutate(() => ({ changes, result: undefined }));
    process.stdout.write(`${id}\n`);
  }
}
await Promise.all(Array.from({ length: 8 }, (_, lane) => writer(lane)));
