// UDP through node:dgram, where batches are not available. Node cannot choose the source address of a reply, so a
// wildcard address gets a socket for each address that the machine has at the start, and one for those that come later: there
// the kernel chooses.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { parseIp } from '../../dns/ip.ts';
import { listenError } from '../../native/listen-error.ts';
import type { SocketAddress } from '../../native/socket-address.ts';
import { isWildcard, withoutScope } from '../../native/socket-address.ts';
import { arrivalOf, COUNTER } from '../../plane/counters.ts';
import type { QueryHandler } from '../answer/query-handler.ts';
import type { UdpSocket } from './udp.ts';

export interface PlainUdpOptions {
  readonly receiveBufferBytes: number;
  readonly responseBytes: number;
  /** The addresses that a wildcard stands for; default: the addresses of this machine. */
  readonly localAddresses?: readonly string[];
}

/** A node that balances for a cluster may have thousands (kube-proxy's IPVS); the others are answered as those that come later. */
const MOST_ADDRESSES = 64;

/** Rejects with ListenError. */
export async function openPlainUdp(
  handler: QueryHandler,
  address: SocketAddress,
  options: PlainUdpOptions,
): Promise<UdpSocket> {
  const only = await openOne(handler, address, options, false);
  if (!isWildcard(address.address)) return only;
  // The port is now known to be free: sockets that may share it do not report conflicts.
  await only.close();
  const { port } = only.bound;
  const wildcard = await openOne(handler, { ...address, port }, options, true);
  const ours = (options.localAddresses ?? localAddresses()).filter((one) => one.includes(':') === isIpv6(address));
  const opened = await Promise.allSettled(
    ours.slice(0, MOST_ADDRESSES).map((one) => openOne(handler, { address: one, port }, options, true)),
  );
  // An address that has been removed, or is not usable yet.
  const sockets = [wildcard, ...opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))];
  const close = async () => void (await Promise.all(sockets.map((socket) => socket.close())));
  return { ...wildcard, stop: close, close };
}

/** `shared`: among addresses that share a port the kernel gives a packet to the one that fits best (SO_REUSEADDR). */
async function openOne(
  handler: QueryHandler,
  address: SocketAddress,
  options: PlainUdpOptions,
  shared: boolean,
): Promise<UdpSocket> {
  const ipv6 = isIpv6(address);
  const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4', ipv6Only: ipv6, reuseAddr: shared });
  const out = new Uint8Array(Math.max(512, options.responseBytes));
  const { counters } = handler;
  const arrived = ipv6 ? COUNTER.UDP6 : COUNTER.UDP4;
  let open = true;

  const send = (response: Uint8Array, port: number, host: string): void => {
    if (!open || response.length === 0) return;
    // dgram sends later, so it needs a copy.
    socket.send(response.slice(), port, host, (error) => {
      if (error) counters[COUNTER.DROPPED_SEND]++;
    });
  };

  socket.on('message', (query, { port, address: host }) => {
    counters[arrived]++;
    // dgram throws when sending to port 0, where nothing can listen.
    if (port === 0) {
      counters[COUNTER.DROPPED_PORT]++;
      return;
    }
    handler.memory.arrival = arrivalOf(arrived);
    const client = parseIp(withoutScope(host));
    const response = handler.respond(query, query.length, out, false, client, port);
    if (typeof response !== 'number') response.resolve((late) => send(late, port, host), client);
    else if (response > 0) send(out.subarray(0, response), port, host);
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
  const close = (): Promise<void> => {
    if (!open) return Promise.resolve();
    open = false;
    return new Promise((resolve) => socket.close(() => resolve()));
  };
  return {
    mode: 'plain',
    bound: { address: bound.address, port: bound.port },
    share: () => false,
    stop: close,
    close,
  };
}

const isIpv6 = ({ address }: SocketAddress): boolean => address.includes(':');

function localAddresses(): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? []).map((entry) =>
      entry.family === 'IPv6' && entry.scopeid !== 0 ? `${entry.address}%${name}` : entry.address,
    ),
  );
}

function setReceiveBuffer(socket: ReturnType<typeof createSocket>, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // The system's default holds; nothing depends on it.
  }
}
