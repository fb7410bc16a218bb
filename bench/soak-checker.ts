// A client that checks what it is answered: names of services whose instances fail and recover all the time. Counts queries
// without a reply, replies without an address, and addresses that were known to be dead when the query was sent. In a
// thread of its own, so that nothing else delays it.
import { createSocket } from 'node:dgram';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { composeMessage, parseMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';
import { drops } from './steady-questions.ts';

export interface Checked {
  readonly queries: number;
  /** No reply within 10 s. */
  readonly lost: number;
  /** Not NOERROR, or without an address. */
  readonly wrong: number;
  /** Addresses in answers that were known to be dead when the query was sent. */
  readonly dead: number;
  readonly slowestMs: number;
  /** Replies that the kernel dropped for want of room in this client's socket. */
  readonly droppedAtClient: number;
}

/** When each instance was known to be dead, by `nowMs`; 0: it may be answered. Index: the last two bytes of its address. */
export type DeadSince = Float64Array;

const QUERIES_A_SECOND = 2_000;
const TICK_MS = 2;
/** A client that was held up asks no more than this at once. */
const AT_ONCE = 32;
const LOST_AFTER_MS = 10_000;
const RECEIVE_BUFFER_BYTES = 8 << 20;

/** One clock for all threads. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export interface Checker {
  stop(): Promise<Checked>;
}

export function startChecker(port: number, names: readonly string[], deadSince: DeadSince): Checker {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, names, shared: deadSince.buffer } });
  const checked = new Promise<Checked>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', resolve);
  });
  return {
    stop: async () => {
      worker.postMessage('stop');
      const result = await checked;
      await worker.terminate();
      return result;
    },
  };
}

async function check(port: number, names: readonly string[], deadSince: DeadSince): Promise<Checked> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const droppedBefore = drops(socket, port).client;
  const queries = names.map((name) =>
    Buffer.from(composeMessage({ questions: [{ name: parseName(name), type: TYPE.A, class: CLASS.IN }] })),
  );
  /** When the query with this id was sent; 0: it has its reply. */
  const sentMs = new Float64Array(65_536);
  let [sent, waiting, lost, wrong, dead, slowestMs] = [0, 0, 0, 0, 0, 0];
  socket.on('error', () => {}); // A refused datagram is a lost one.
  socket.on('message', (reply) => {
    const id = reply.readUInt16BE(0);
    const askedMs = sentMs[id]!;
    if (askedMs === 0) return;
    sentMs[id] = 0;
    waiting--;
    slowestMs = Math.max(slowestMs, nowMs() - askedMs);
    const { rcode, answers } = parseMessage(reply);
    if (rcode !== 0 || answers.length === 0) wrong++;
    for (const { rdata } of answers) {
      const since = deadSince[(rdata[2]! << 8) | rdata[3]!]!;
      if (since > 0 && askedMs > since) dead++;
    }
  });
  const startMs = nowMs();
  const timer = setInterval(() => {
    const due = ((nowMs() - startMs) / 1000) * QUERIES_A_SECOND;
    for (let i = 0; i < AT_ONCE && sent < due; i++, sent++) {
      const id = sent & 0xffff;
      if (sentMs[id] !== 0) lost++;
      else waiting++;
      const query = queries[sent % queries.length]!;
      query.writeUInt16BE(id, 0);
      sentMs[id] = nowMs();
      socket.send(query);
    }
  }, TICK_MS);
  await new Promise((resolve) => parentPort!.once('message', resolve));
  clearInterval(timer);
  const endMs = nowMs() + LOST_AFTER_MS;
  while (waiting > 0 && nowMs() < endMs) await new Promise((resolve) => setTimeout(resolve, 50));
  const droppedAtClient = drops(socket, port).client - droppedBefore;
  socket.close();
  return { queries: sent, lost: lost + waiting, wrong, dead, slowestMs, droppedAtClient };
}

if (!isMainThread && workerData?.shared !== undefined) {
  const { port, names, shared } = workerData as { port: number; names: readonly string[]; shared: SharedArrayBuffer };
  parentPort!.postMessage(await check(port, names, new Float64Array(shared)));
}
