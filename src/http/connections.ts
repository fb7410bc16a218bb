// Limits on the connections of the HTTP server, and on the requests of each.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Keeps at most `limit` connections of `server` open. At the limit the one that has been idle longest is closed: idle
 * connections must not keep the kubelet's probes out. `onClosed` is called for each of these.
 */
export function limitConnections(server: Server, limit: () => number, onClosed: () => void): void {
  /** In the order of their last request, or of their opening. */
  const open = new Set<Socket>();
  // Of HTTPS, those whose handshake has succeeded; the others end after its timeout.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    for (const oldest of open) {
      if (open.size < limit()) break;
      open.delete(oldest);
      oldest.destroy();
      onClosed();
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('request', ({ socket }) => {
    if (open.delete(socket)) open.add(socket);
  });
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Pipelined requests that wait on one connection; a client that sends more is disconnected. */
const MAX_PIPELINED = 100;

/**
 * Node.js parses all pipelined requests of a packet in one turn of the event loop. This handles one at a time, each in a
 * separate turn, so that health checks and everything else run in between.
 */
export function oneAtATime(handle: Handler): Handler {
  const waiting = new WeakMap<Socket, (() => void)[]>();

  return (request, response) => {
    const { socket } = request;
    const start = () => {
      response.once('close', () => setImmediate(next, socket));
      handle(request, response);
    };
    const queue = waiting.get(socket);
    if (queue === undefined) {
      waiting.set(socket, []);
      start();
    } else if (queue.length < MAX_PIPELINED) queue.push(start);
    else socket.destroy();
  };

  function next(socket: Socket): void {
    const start = waiting.get(socket)?.shift();
    if (start === undefined || socket.destroyed) waiting.delete(socket);
    else start();
  }
}
