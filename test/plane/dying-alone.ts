// A process that has nothing but one data thread, which dies: for the test of what keeps it alive.
import { systemClock } from '../../src/clock.ts';
import { startDataPlane } from '../../src/plane/threads.ts';
import { testSettings } from '../support/transports.ts';

const plane = await startDataPlane(testSettings({ threads: 1 }), {
  threadUrl: new URL('./dying-thread.js', import.meta.url),
  clock: systemClock,
  random: Math.random,
  slotCapacity: 1024,
  refill: () => [],
  log(level, message) {
    console.log(`${level}: ${message}`);
    if (message.endsWith('answers again')) void plane.close();
  },
});
await plane.listen();
void plane.flushCache({ kind: 'all' });
