// The open connections of the HTTP server. At their limit the one that has gone longest without a request makes room: who
// opens many and says nothing on them does not keep the kubelet's probes out.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Keeps at most `limit` connections of `server` open; `onClosed` is told of each one closed for that. */
export function limitConnections(server: Server, limit: number, onClosed: () => void): void {
  /** In the order of their last request, or of their opening. */
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    const [oldest] = open;
    if (open.size >= limit) {
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
