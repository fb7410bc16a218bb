// UDP through node:dgram: everywhere, and where batches cannot be had. Replies on a wildcard address leave from the address
// that the kernel chooses.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { parseIp } from '../dns/ip.ts';
import { COUNTER } from '../plane/counters.ts';
import type { SocketAddress } from '../plane/settings.ts';
import { withoutZone } from './client-address.ts';
import type { Engine } from './engine.ts';
import { LATER } from './respond.ts';
import { listenError, type UdpSocket } from './udp.ts';

export interface PlainUdpOptions {
  readonly receiveBufferBytes: number;
  readonly responseBytes: number;
}

/** Rejects with ListenError. */
export async function openPlainUdp(
  engine: Engine,
  address: SocketAddress,
  options: PlainUdpOptions,
): Promise<UdpSocket> {
  const ipv6 = address.address.includes(':');
  const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4', ipv6Only: ipv6 });
  const out = new Uint8Array(Math.max(512, options.responseBytes));
  const { counters } = engine;
  const arrived = ipv6 ? COUNTER.UDP6 : COUNTER.UDP4;
  let open = true;

  const send = (response: Uint8Array, port: number, host: string): void => {
    if (!open || response.length === 0) return;
    // dgram sends later, so it gets bytes of its own.
    socket.send(response.slice(), port, host, (error) => {
      if (error) counters[COUNTER.DROPPED_SEND]++;
    });
  };

  socket.on('message', (query, { port, address: host }) => {
    counters[arrived]++;
    // dgram throws when it is to send to port 0, and nobody listens there.
    if (port === 0) {
      counters[COUNTER.DROPPED_PORT]++;
      return;
    }
    const length = engine.respond(
      query,
      query.length,
      out,
      false,
      engine.wantsClient ? parseIp(withoutZone(host)) : undefined,
    );
    if (length > 0) send(out.subarray(0, length), port, host);
    else if (length === LATER) {
      engine.respondLater(Uint8Array.from(query), false, (response) => send(response, port, host));
    }
  });

  const failed = new Promise<never>((_resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(address, 'udp', error.code ?? `${error}`)),
    );
  });
  socket.bind({ address: address.address, port: address.port, exclusive: true });
  await Promise.race([once(socket, 'listening'), failed]);
  socket.on('error', () => counters[COUNTER.DROPPED_SEND]++);
  setReceiveBuffer(socket, options.receiveBufferBytes);
  const bound = socket.address();
  return {
    mode: 'plain',
    bound: { address: bound.address, port: bound.port },
    close() {
      open = false;
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
}

function setReceiveBuffer(socket: ReturnType<typeof createSocket>, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // The system's default holds; nothing depends on it.
  }
}
