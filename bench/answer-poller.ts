// Asks one server one question again and again, to see when its answer changes. In a thread of its own, so that it asks as
// often whatever else goes on here; only while somebody waits, so that watching does not make the server busy.
import { createSocket } from 'node:dgram';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { composeMessage } from '../src/dns/compose-message.ts';
import { parseMessage } from '../src/dns/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';

export interface AnswerPoller {
  /** Resolves with the time (`nowMs`) of the first answer that has the address, or has not; undefined after `withinMs`. */
  until(address: string, isThere: boolean, withinMs: number): Promise<number | undefined>;
  /** Mean milliseconds from one question to the next: half of it, on average, is how late a change is seen. */
  intervalMs(): number;
  close(): Promise<void>;
}

interface Wish {
  readonly address: string;
  readonly isThere: boolean;
  readonly withinMs: number;
}

interface Seen {
  readonly atMs: number | undefined;
  /** Pauses from question to question, and how long they took together. */
  readonly pauses: number;
  readonly pausedMs: number;
}

/** Between an answer and the next question. */
const PAUSE_MS = 0.3;
const LOST_MS = 200;

/** Milliseconds of a clock that all threads share. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export function pollAnswers(port: number, name: string): AnswerPoller {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, name } });
  let [pauses, pausedMs] = [0, 0];
  return {
    until: (address, isThere, withinMs) =>
      new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', (seen: Seen) => {
          worker.off('error', reject);
          pauses += seen.pauses;
          pausedMs += seen.pausedMs;
          resolve(seen.atMs);
        });
        worker.postMessage({ address, isThere, withinMs } satisfies Wish);
      }),
    intervalMs: () => pausedMs / Math.max(1, pauses),
    close: async () => void (await worker.terminate()),
  };
}

async function poll(port: number, name: string): Promise<void> {
  const socket = createSocket('udp4');
  const query = composeMessage({ questions: [{ name: parseName(name), type: TYPE.A, class: CLASS.IN }] });
  socket.on('error', () => {}); // nobody listens yet
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const never = new Int32Array(new SharedArrayBuffer(4));

  const ask = () =>
    new Promise<readonly string[] | undefined>((resolve) => {
      const done = (addresses?: readonly string[]) => {
        clearTimeout(timer);
        socket.off('message', onMessage);
        resolve(addresses);
      };
      const onMessage = (reply: Buffer) => done(parseMessage(reply).answers.map(({ rdata }) => rdata.join('.')));
      const timer = setTimeout(done, LOST_MS);
      socket.on('message', onMessage);
      socket.send(query);
    });

  parentPort!.on('message', async ({ address, isThere, withinMs }: Wish) => {
    const startMs = nowMs();
    let [fromMs, pauses, atMs] = [startMs, 0, undefined as number | undefined];
    while (atMs === undefined && fromMs < startMs + withinMs) {
      const addresses = await ask();
      if (addresses?.includes(address) === isThere) atMs = nowMs();
      else {
        Atomics.wait(never, 0, 0, PAUSE_MS); // a timer would be a millisecond
        pauses++;
        fromMs = nowMs();
      }
    }
    parentPort!.postMessage({ atMs, pauses, pausedMs: fromMs - startMs } satisfies Seen);
  });
}

if (!isMainThread) {
  const { port, name } = workerData as { port: number; name: string };
  await poll(port, name);
}
