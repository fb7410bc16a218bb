// A UDP socket that is connected to one server: what others send does not get through. Here with node:dgram; where a data
// thread can call the kernel itself, native-datagram.ts does it with less.
import { createSocket } from 'node:dgram';

export interface ConnectedSocket {
  /** Throws where nothing could be sent; `code` says why. True: it was, and something that was sent before was refused. */
  send(message: Uint8Array): boolean;
  /** No event comes after it. */
  close(): void;
}

export interface SocketEvents {
  /** A datagram from the server's address and port; valid until it returns. */
  received(message: Uint8Array): void;
  /** From anyone else: it was queued between bind and connect. */
  stranger(): void;
  /** ECONNREFUSED (ICMP port unreachable): the socket is as good as before. After any other code it is of no use. */
  failed(code: string): void;
}

/** `address` is IPv4 or IPv6 text. The port of our side is one that the kernel draws. Throws where there is none. */
export type OpenSocket = (address: string, port: number, events: SocketEvents) => ConnectedSocket;

export const openDatagram: OpenSocket = (address, port, events) => {
  const family = address.includes(':') ? 'udp6' : 'udp4';
  // Addresses are literal, so "lookup" answers at once and the socket is bound and connected when connect() returns.
  const socket = createSocket({
    type: family,
    lookup: (host, _options, done) => done(null, host, family === 'udp6' ? 6 : 4),
  });
  socket.on('message', (message, from) => {
    if (from.port === port && from.address === address) events.received(message);
    else events.stranger();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => events.failed(error.code ?? error.message));
  socket.connect(port, address);
  return {
    send(message) {
      socket.send(message, 0, message.length);
      return false;
    },
    close() {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.close();
    },
  };
};
