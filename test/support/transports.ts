// The ways a query reaches the answer path, each with a data plane of its own: without sockets, UDP in batches, UDP packet
// by packet, TCP.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { systemClock } from '../../src/clock.ts';
import type { Change, DataPlane } from '../../src/plane/records.ts';
import type { DataPlaneSettings } from '../../src/plane/settings.ts';
import { startDataPlane, type ThreadedDataPlane } from '../../src/plane/threads.ts';
import { createInProcessPlane } from './in-process.ts';

export interface Transport {
  readonly name: string;
  readonly kind: 'udp' | 'tcp';
  readonly plane: DataPlane;
  /** The response, undefined where there is none. */
  ask(query: Uint8Array): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

export const RESPONDER = {
  udpPayloadBytes: 1232,
  versionBind: 'healthdns under test',
  idServer: 'node-1',
  forwarding: false,
  tcpIdleMs: 10_000,
} as const;

export function testSettings(changed: Partial<DataPlaneSettings> = {}): DataPlaneSettings {
  return {
    listen: [{ address: '127.0.0.1', port: 0 }],
    threads: 1,
    udp: 'batched',
    responder: RESPONDER,
    tcp: { connections: 100, idleMs: 10_000, totalMs: 60_000, unreadBytes: 65_536, unreadTotalBytes: 1 << 26 },
    forward: undefined,
    receiveBufferBytes: 1 << 20,
    ...changed,
  };
}

/** A data plane in threads, with the compiled thread of this build. */
export function startTestPlane(
  changed: Partial<DataPlaneSettings> = {},
  refill: () => Iterable<Change> = () => [],
): Promise<ThreadedDataPlane> {
  return startDataPlane(testSettings(changed), {
    threadUrl: new URL('../../src/thread/thread.js', import.meta.url),
    clock: systemClock,
    random: Math.random,
    slotCapacity: 1 << 16,
    log: () => {},
    refill,
  });
}

export function withoutSockets(kind: 'udp' | 'tcp'): Transport {
  const plane = createInProcessPlane(RESPONDER);
  return {
    name: `no socket, as over ${kind}`,
    kind,
    plane,
    ask: async (query) => plane.respond(query, kind),
    close: async () => {},
  };
}

export async function overUdp(udp: 'batched' | 'plain', address = '127.0.0.1'): Promise<Transport> {
  const plane = await startTestPlane({ udp, listen: [{ address, port: 0 }] });
  const [{ port }] = await plane.listen();
  const client = await udpClient(address, port);
  return {
    name: `UDP ${udp} ${address}`,
    kind: 'udp',
    plane,
    ask: client.ask,
    async close() {
      client.close();
      await plane.close();
    },
  };
}

/** `udp` decides TCP's way as well: batched goes with epoll, plain with plain. */
export async function overTcp(udp: 'batched' | 'plain', host = '127.0.0.1'): Promise<Transport> {
  const plane = await startTestPlane({ udp, listen: [{ address: host, port: 0 }] });
  const [, { address, port, transport, mode }] = await plane.listen();
  if (transport !== 'tcp' || (mode === 'plain') !== (udp === 'plain')) throw new Error(`${transport} is ${mode}`);
  return {
    name: `TCP ${mode} ${host}`,
    kind: 'tcp',
    plane,
    ask: (query) => askTcp(address, port, query),
    close: () => plane.close(),
  };
}

/** Something that is always answered, and first of all that comes later. */
const ECHO = Buffer.from('fffe28000000000000000000', 'hex');

/** One socket; whether a query gets no response shows by a later one being answered first. */
export async function udpClient(address: string, port: number) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  return {
    async ask(query: Uint8Array): Promise<Uint8Array | undefined> {
      const answers: Uint8Array[] = [];
      const echoed = new Promise<void>((resolve) => {
        const listen = (response: Uint8Array) => {
          if (response[0] !== 0xff || response[1] !== 0xfe) {
            answers.push(Uint8Array.from(response));
            return;
          }
          socket.off('message', listen);
          resolve();
        };
        socket.on('message', listen);
      });
      if (query.length > 0) socket.send(query);
      socket.send(ECHO);
      await echoed;
      if (answers.length > 1) throw new Error(`${answers.length} responses to one query`);
      return answers[0];
    },
    close: () => socket.close(),
  };
}

/** One query on a connection of its own, followed by one that is always answered. */
export async function askTcp(address: string, port: number, query: Uint8Array): Promise<Uint8Array | undefined> {
  const responses = await talkTcp(address, port, Buffer.concat([framed(query), framed(ECHO)]));
  return responses.find((response) => response[0] !== 0xff || response[1] !== 0xfe);
}

/** Sends bytes, half-closes, and reads all responses until the server closes. */
export async function talkTcp(address: string, port: number, bytes: Uint8Array): Promise<Uint8Array[]> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.end(bytes);
  await once(socket, 'end');
  socket.destroy();
  return unframed(Buffer.concat(chunks));
}

export function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length), message]);
}

export function unframed(bytes: Buffer): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    messages.push(Uint8Array.from(bytes.subarray(at + 2, end)));
    at = end;
  }
  return messages;
}
