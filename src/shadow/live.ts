// Questions as they are asked: servers send them by dnstap to a socket. Senders never wait for a reader (they drop what cannot be
// sent), and what arrives faster than it can be asked is dropped here: nothing delays an answer.
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Question } from './answers/question.ts';
import { CutShort, createBytes } from './questions/bytes.ts';
import { BrokenFrames, readDnstap } from './questions/dnstap.ts';
import type { Notes } from './questions/notes.ts';

export interface LiveAddress {
  /** Of a unix socket. */
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
}

export interface Live {
  readonly questions: AsyncIterable<Question>;
  /** Questions that were dropped so far. */
  dropped(): number;
  close(): Promise<void>;
}

const MAX_WAITING = 20_000;
const MAX_SENDERS = 64;

/** Rejects with an error of the system if the address is not available. */
export async function listenForDnstap(address: LiveAddress, notes: Notes): Promise<Live> {
  const queue = createQueue<Question>(MAX_WAITING);
  notes.format = 'dnstap';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // 'close' follows; a sender connects again.
    void readSender(socket, notes, queue.push);
  });
  server.maxConnections = MAX_SENDERS;
  await listen(server, address);
  return {
    questions: queue.items,
    dropped: queue.dropped,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      if (address.path !== undefined) await rm(address.path, { force: true });
    },
  };
}

async function readSender(socket: Socket, notes: Notes, push: (question: Question) => void): Promise<void> {
  try {
    const questions = readDnstap(createBytes(socket), notes, (frame) => socket.write(frame));
    for await (const question of questions) push(question);
    socket.end();
  } catch (error) {
    // A bad stream of one sender does not affect the others; a lost connection may end anywhere.
    if (error instanceof BrokenFrames) notes.damage ??= error.message;
    else if (!(error instanceof CutShort) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    socket.destroy();
  }
}

function listen(server: Server, { path, host, port }: LiveAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const listening = () => {
      server.removeListener('error', reject);
      resolve();
    };
    if (path !== undefined) server.listen(path, listening);
    else server.listen(port, host, listening);
  });
}

/** Never waits: what does not fit is dropped and counted. */
function createQueue<T>(size: number) {
  let waiting: T[] = [];
  let dropped = 0;
  let wake = () => {};
  return {
    push(item: T): void {
      if (waiting.length >= size) dropped++;
      else waiting.push(item);
      wake();
    },
    dropped: () => dropped,
    items: (async function* () {
      for (;;) {
        const arrived = waiting;
        waiting = [];
        yield* arrived;
        if (waiting.length > 0) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    })() as AsyncIterable<T>,
  };
}
