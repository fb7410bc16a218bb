// A TCP relay between a client under test and a server, so that a test can take the network away from that client alone.
import { connect, createServer, type Socket } from 'node:net';

export interface Relay {
  readonly port: number;
  /** Closes all connections and refuses new ones, until `mend`. */
  cut(): void;
  /** Keeps all connections open and lets nothing through any more; new ones get no answer either, until `mend`. */
  swallow(): void;
  /** Lets new connections through again; those that were swallowed stay dead. */
  mend(): void;
  close(): Promise<void>;
}

export async function startRelay(targetPort: number): Promise<Relay> {
  let mode: 'through' | 'cut' | 'swallow' = 'through';
  const sockets = new Set<Socket>();

  const listener = createServer((client) => {
    keep(client);
    if (mode === 'cut') return void client.destroy();
    if (mode === 'swallow') return void client.pause();
    const server = keep(connect(targetPort, '127.0.0.1'));
    client.pipe(server);
    server.pipe(client);
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
  });

  function keep(socket: Socket): Socket {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // a broken connection is what tests make here
    return socket;
  }
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };

  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as { port: number }).port,
    cut() {
      mode = 'cut';
      destroyAll();
    },
    swallow() {
      mode = 'swallow';
      for (const socket of sockets) socket.unpipe().pause();
    },
    mend() {
      mode = 'through';
    },
    close() {
      destroyAll();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}
