// Many questions to one server over one UDP socket or one TCP connection, so many on their way at a time.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

export interface Way {
  readonly transport: 'udp' | 'tcp';
  readonly edns: boolean;
}

export const WAYS: readonly Way[] = [
  { transport: 'udp', edns: true },
  { transport: 'udp', edns: false },
  { transport: 'tcp', edns: true },
  { transport: 'tcp', edns: false },
];

/** Hands in the reply to question number `index`; undefined where none came. */
export type OnReply = (index: number, reply: Buffer | undefined) => void;

const OUTSTANDING = 128;
const TRIES = 5;
const TIMEOUT_MS = 1_000;

/** Asks all `queries`, whose ids are overwritten. Resolves when each has its reply or has been given up. */
export function askAll(
  port: number,
  transport: Way['transport'],
  queries: readonly Buffer[],
  onReply: OnReply,
): Promise<void> {
  return transport === 'udp' ? askOverUdp(port, queries, onReply) : askOverTcp(port, queries, onReply);
}

function askOverUdp(port: number, queries: readonly Buffer[], onReply: OnReply): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    /** By id, which is the question's number modulo 65536. */
    const waiting = new Map<number, { index: number; tries: number; sentMs: number }>();
    let next = 0;
    const send = (index: number, tries: number) => {
      const query = queries[index]!;
      query.writeUInt16BE(index & 0xffff, 0);
      waiting.set(index & 0xffff, { index, tries, sentMs: performance.now() });
      socket.send(query);
    };
    const more = () => {
      while (waiting.size < OUTSTANDING && next < queries.length) send(next++, 1);
      if (waiting.size > 0) return;
      clearInterval(timer);
      socket.close(() => resolve());
    };
    const timer = setInterval(() => {
      for (const [id, { index, tries, sentMs }] of waiting) {
        if (performance.now() - sentMs < TIMEOUT_MS) continue;
        waiting.delete(id);
        if (tries < TRIES) send(index, tries + 1);
        else onReply(index, undefined);
      }
      more();
    }, 100);
    // Nobody listens there yet: as if it had been lost.
    socket.on('error', (error: NodeJS.ErrnoException) => error.code !== 'ECONNREFUSED' && reject(error));
    socket.on('message', (reply) => {
      const entry = waiting.get(reply.readUInt16BE(0));
      if (entry === undefined) return;
      waiting.delete(reply.readUInt16BE(0));
      onReply(entry.index, reply);
      more();
    });
    socket.connect(port, '127.0.0.1', more);
  });
}

function askOverTcp(port: number, queries: readonly Buffer[], onReply: OnReply): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let unread: Buffer = Buffer.alloc(0);
    let next = 0;
    let open = 0;
    const more = () => {
      const frames: Buffer[] = [];
      for (; open < OUTSTANDING && next < queries.length; open++, next++) {
        const query = queries[next]!;
        query.writeUInt16BE(next & 0xffff, 0);
        frames.push(Buffer.of(query.length >> 8, query.length & 255), query);
      }
      if (frames.length > 0) socket.write(Buffer.concat(frames));
      if (open === 0) socket.end(() => resolve());
    };
    socket.setNoDelay(true);
    socket.setTimeout(30_000, () => socket.destroy(new Error(`port ${port}: no reply over TCP for 30 s`)));
    socket.on('error', reject);
    socket.on('close', () => open > 0 && reject(new Error(`port ${port}: closed with ${open} questions unanswered`)));
    socket.on('connect', more);
    socket.on('data', (chunk) => {
      unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        const reply = unread.subarray(2, 2 + unread.readUInt16BE(0));
        unread = unread.subarray(2 + reply.length);
        open--;
        // Replies come in any order (RFC 7766 section 7); at most OUTSTANDING numbers are in question.
        onReply(numberOf(reply.readUInt16BE(0), next), reply);
      }
      more();
    });
  });
}

/** The greatest number below `next` with these 16 low bits. */
function numberOf(id: number, next: number): number {
  const candidate = ((next - 1) & ~0xffff) | id;
  return candidate < next ? candidate : candidate - 0x10000;
}
