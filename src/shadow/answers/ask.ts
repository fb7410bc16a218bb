// Many questions to one server over one UDP socket or one TCP connection, a bounded number of them outstanding.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { ServerAddress } from '../../query/exchange.ts';

/** Delivers the reply to question number `index`; undefined: there was none. */
export type OnReply = (index: number, reply: Buffer | undefined) => void;

/** After this many consecutive questions without a reply, the server is considered down, and the rest is not asked. */
export class SilentServer extends Error {
  override readonly name = 'SilentServer';
}

export interface Asking {
  readonly server: ServerAddress;
  readonly transport: 'udp' | 'tcp';
  /** Questions a second at most; no limit by default. */
  readonly perSecond?: number;
}

const OUTSTANDING = 128;
const TRIES = 5;
const TIMEOUT_MS = 1_000;
const TCP_IDLE_MS = 5_000;
const SILENT_AFTER = 64;

/**
 * Asks all `queries`, whose ids are overwritten. Resolves when each has its reply or has been given up; rejects with
 * SilentServer, or with an error of the system.
 */
export function askAll(asking: Asking, queries: readonly Buffer[], onReply: OnReply): Promise<void> {
  return asking.transport === 'udp' ? askOverUdp(asking, queries, onReply) : askOverTcp(asking, queries, onReply);
}

function askOverUdp({ server, perSecond }: Asking, queries: readonly Buffer[], onReply: OnReply): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: server.family === 4 ? 'udp4' : 'udp6', recvBufferSize: 4 << 20 });
    /** By id, which is the question's number modulo 65536. */
    const waiting = new Map<number, { index: number; tries: number; sentMs: number }>();
    const pace = createPace(perSecond);
    const silence = createSilence(server, 'UDP');
    let next = 0;
    const end = (error?: Error) => {
      clearInterval(timer);
      socket.removeAllListeners().on('error', () => {});
      socket.close(() => (error === undefined ? resolve() : reject(error)));
    };
    const send = (index: number, tries: number) => {
      const query = queries[index]!;
      query.writeUInt16BE(index & 0xffff, 0);
      waiting.set(index & 0xffff, { index, tries, sentMs: performance.now() });
      socket.send(query);
    };
    const more = () => {
      while (waiting.size < OUTSTANDING && next < queries.length && pace.allows(next)) send(next++, 1);
      if (waiting.size === 0 && next === queries.length) end();
    };
    const giveUp = (index: number) => {
      onReply(index, undefined);
      if (silence.unanswered()) end(silence.error());
    };
    const timer = setInterval(() => {
      for (const [id, { index, tries, sentMs }] of waiting) {
        if (performance.now() - sentMs < TIMEOUT_MS) continue;
        waiting.delete(id);
        if (tries < TRIES) send(index, tries + 1);
        else giveUp(index);
        if (silence.isSilent()) return;
      }
      more();
    }, PACE_MS);
    // Connection refused: treated as a lost query.
    socket.on('error', (error: NodeJS.ErrnoException) => error.code !== 'ECONNREFUSED' && end(error));
    socket.on('message', (reply) => {
      const entry = reply.length < 2 ? undefined : waiting.get(reply.readUInt16BE(0));
      if (entry === undefined) return;
      waiting.delete(reply.readUInt16BE(0));
      silence.answered();
      onReply(entry.index, reply);
      more();
    });
    socket.connect(server.port, server.address, more);
  });
}

/** Repeats the questions left unanswered by a closed connection over a new one. */
async function askOverTcp(asking: Asking, queries: readonly Buffer[], onReply: OnReply): Promise<void> {
  const silence = createSilence(asking.server, 'TCP');
  let numbers = queries.map((_, index) => index);
  for (let failures = 0; numbers.length > 0; ) {
    const left = await overOneConnection(asking, queries, numbers, (index, reply) => {
      silence.answered();
      onReply(index, reply);
    });
    failures = left.length < numbers.length ? 0 : failures + 1;
    numbers = left;
    if (failures < TRIES) continue;
    const [index, ...rest] = numbers;
    onReply(index!, undefined);
    numbers = rest;
    if (silence.unanswered()) throw silence.error();
  }
}

/** The numbers that had no reply when the connection ended. */
function overOneConnection(
  { server, perSecond }: Asking,
  queries: readonly Buffer[],
  numbers: readonly number[],
  onReply: (index: number, reply: Buffer) => void,
): Promise<number[]> {
  return new Promise((resolve) => {
    const socket = connect(server.port, server.address);
    /** Numbers by id. */
    const waiting = new Map<number, number>();
    const pace = createPace(perSecond);
    let unread: Buffer = Buffer.alloc(0);
    let next = 0;
    const more = () => {
      const frames: Buffer[] = [];
      for (; waiting.size < OUTSTANDING && next < numbers.length && pace.allows(next); next++) {
        const query = queries[numbers[next]!]!;
        query.writeUInt16BE(next & 0xffff, 0);
        waiting.set(next & 0xffff, numbers[next]!);
        frames.push(Buffer.of(query.length >> 8, query.length & 255), query);
      }
      if (frames.length > 0) socket.write(Buffer.concat(frames));
      if (waiting.size === 0 && next === numbers.length) socket.destroy();
    };
    const timer = setInterval(() => socket.readyState === 'open' && more(), PACE_MS);
    socket.setNoDelay(true);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    socket.on('error', () => {}); // 'close' follows.
    socket.on('close', () => {
      clearInterval(timer);
      resolve([...waiting.values(), ...numbers.slice(next)]);
    });
    socket.on('connect', more);
    socket.on('data', (chunk) => {
      unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        const reply = unread.subarray(2, 2 + unread.readUInt16BE(0));
        unread = unread.subarray(2 + reply.length);
        // Replies come in any order (RFC 7766 section 7).
        const index = reply.length < 2 ? undefined : waiting.get(reply.readUInt16BE(0));
        if (index === undefined) continue;
        waiting.delete(reply.readUInt16BE(0));
        onReply(index, reply);
      }
      more();
    });
  });
}

const PACE_MS = 50;

/** Whether question number `sent` may be sent by now. */
function createPace(perSecond: number | undefined): { allows(sent: number): boolean } {
  const startMs = performance.now();
  return {
    allows: (sent) =>
      perSecond === undefined || sent < ((performance.now() - startMs + PACE_MS) / 1000) * perSecond + 1,
  };
}

function createSilence({ address, port, family }: ServerAddress, transport: string) {
  let inARow = 0;
  return {
    answered() {
      inARow = 0;
    },
    /** Whether the server is given up. */
    unanswered: () => ++inARow >= SILENT_AFTER,
    isSilent: () => inARow >= SILENT_AFTER,
    error: () =>
      new SilentServer(
        `${family === 6 ? `[${address}]` : address}:${port} no longer replies over ${transport}: ${inARow} questions in a row had no reply`,
      ),
  };
}
