// Questions at a steady rate while something else goes on: how many went without a reply, and whose fault that was. In a
// thread of its own, for a client that is busy elsewhere does not read, and its kernel then drops the replies.
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { composeMessage, parseMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';

export interface Asked {
  readonly questions: number;
  /** No reply at all, not even seconds later. */
  readonly lost: number;
  /** A reply after more than LATE_MS. */
  readonly late: number;
  /** Another rcode than NOERROR, or no address. */
  readonly empty: number;
  readonly slowestMs: number;
  /** Datagrams that the kernel threw away, for want of room in a socket: questions to the server, replies to us. */
  readonly droppedAtServer: number;
  readonly droppedAtClient: number;
}

const QUESTIONS_A_SECOND = 500;
/** A client that was held up catches up slowly, so that it asks no more at once than a resolver would. */
const AT_ONCE = 16;
const TICK_MS = 4;
export const LATE_MS = 1_000;
/** After the last question: whatever comes so late has not been lost. */
const LAST_REPLY_MS = 5_000;
const RECEIVE_BUFFER_BYTES = 8 << 20;

/** Asks A of the names in turn until `work` has ended. */
export async function askDuring(port: number, names: readonly string[], work: Promise<void>): Promise<Asked> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, names, steady: true } });
  const asked = new Promise<Asked>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', resolve);
  });
  try {
    await Promise.race([work, asked.then(() => {})]);
    worker.postMessage('stop');
    return await asked;
  } finally {
    await worker.terminate();
  }
}

async function ask(port: number, names: readonly string[]): Promise<Asked> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const before = drops(socket, port);
  const queries = names.map((name) =>
    Buffer.from(composeMessage({ questions: [{ name: parseName(name), type: TYPE.A, class: CLASS.IN }] })),
  );
  /** When the question with this id was sent; 0: it has its reply. Ids come again after two minutes. */
  const sentMs = new Float64Array(65_536);
  let [questions, late, empty, slowestMs, waiting, lost] = [0, 0, 0, 0, 0, 0];
  socket.on('message', (reply) => {
    const id = reply.readUInt16BE(0);
    if (sentMs[id] === 0) return;
    const tookMs = performance.now() - sentMs[id]!;
    sentMs[id] = 0;
    waiting--;
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > LATE_MS) late++;
    const { rcode, answers } = parseMessage(reply);
    if (rcode !== 0 || answers.length === 0) empty++;
  });
  const startMs = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - startMs) / 1000) * QUESTIONS_A_SECOND;
    for (let i = 0; i < AT_ONCE && questions < due; i++, questions++) {
      const id = questions & 0xffff;
      if (sentMs[id] !== 0) lost++;
      else waiting++;
      const query = queries[questions % queries.length]!;
      query.writeUInt16BE(id, 0);
      sentMs[id] = performance.now();
      socket.send(query);
    }
  }, TICK_MS);
  await new Promise((resolve) => parentPort!.once('message', resolve));
  clearInterval(timer);
  const endMs = performance.now() + LAST_REPLY_MS;
  while (waiting > 0 && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 50));
  const after = drops(socket, port);
  socket.close();
  return {
    ...{ questions, lost: lost + waiting, late, empty, slowestMs },
    droppedAtServer: after.server - before.server,
    droppedAtClient: after.client - before.client,
  };
}

/** The last column of /proc/net/udp, added up over a port's sockets. */
export function drops(socket: Socket, serverPort: number): { readonly client: number; readonly server: number } {
  const counts = new Map<number, number>();
  for (const line of readFileSync('/proc/net/udp', 'utf8').trim().split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const port = Number.parseInt(fields[1]!.split(':')[1]!, 16);
    counts.set(port, (counts.get(port) ?? 0) + Number(fields.at(-1)));
  }
  return { client: counts.get(socket.address().port) ?? 0, server: counts.get(serverPort) ?? 0 };
}

if (!isMainThread && workerData?.steady === true) {
  const { port, names } = workerData as { port: number; names: readonly string[] };
  parentPort!.postMessage(await ask(port, names));
}
