// The sockets of sessions: TLS, as RFC 8765 section 7 requires, or plain TCP for tests; and how many connections are admitted.
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../clock.ts';
import { listenError } from '../native/listen-error.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { PushSettings } from '../plane/settings.ts';

export interface SessionListener {
  readonly bound: SocketAddress;
  close(): Promise<void>;
}

export interface ListenDeps {
  readonly clock: Clock;
  readonly counters: Counters;
  /** No more sessions are admitted. */
  isFull(): boolean;
  /** `stream` is what is read and written, `connection` the TCP connection below it. */
  accept(stream: Socket, connection: Socket): void;
  log(level: 'info' | 'warn' | 'error', message: string): void;
}

const BACKLOG = 8192;
/** Thousands of clients of another replica may come at once; agents wait for 20 seconds. */
const HANDSHAKE_MS = 25_000;
const REREAD_MS = 10_000;
/** How much a client may leave unread before states are skipped. */
const HIGH_WATER_BYTES = 16 * 1024;

/** Rejects with ListenError, also if the files of TLS cannot be used. */
export async function listenForSessions(
  address: SocketAddress,
  settings: PushSettings,
  deps: ListenDeps,
): Promise<SessionListener> {
  const admit = createAdmission(settings, deps);
  const { server, stop } =
    settings.tls === undefined ? plainServer(admit, deps) : tlsServer(settings.tls, admit, deps, address);
  await listening(server, address);
  server.on('error', (error) => deps.log('warn', `DNS Push: ${error.message}`));
  const bound = server.address() as SocketAddress;
  return {
    bound: { address: bound.address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        stop();
        // Resolves when its connections have ended, which is not waited for.
        server.close();
        resolve();
      }),
  };
}

type Admit = (connection: Socket) => boolean;

/** Connections count from the first byte of the handshake on. */
function createAdmission(settings: PushSettings, { counters, isFull }: ListenDeps): Admit {
  const perClient = new Map<string, number>();
  let connections = 0;
  return (connection) => {
    const client = connection.remoteAddress ?? '';
    const held = perClient.get(client) ?? 0;
    if (isFull() || connections >= settings.sessions || held >= settings.sessionsPerClient) {
      counters[COUNTER.PUSH_TURNED_AWAY]++;
      connection.resetAndDestroy();
      return false;
    }
    connections++;
    perClient.set(client, held + 1);
    connection.once('close', () => {
      connections--;
      const left = (perClient.get(client) ?? 1) - 1;
      if (left > 0) perClient.set(client, left);
      else perClient.delete(client);
    });
    return true;
  };
}

interface Listening {
  readonly server: Server;
  stop(): void;
}

function plainServer(admit: Admit, { accept }: ListenDeps): Listening {
  const server = createServer({ noDelay: true, highWaterMark: HIGH_WATER_BYTES }, (socket) => {
    if (admit(socket)) accept(socket, socket);
  });
  return { server, stop: () => {} };
}

/** No more renegotiations than none: TLS 1.3 has none, and clients of TLS 1.2 need none. */
function tlsServer(
  files: NonNullable<PushSettings['tls']>,
  admit: Admit,
  deps: ListenDeps,
  address: SocketAddress,
): Listening {
  const { counters, accept } = deps;
  const read = readFiles(files, address);
  const server: TlsServer = createTlsServer({
    ...read,
    ...{ noDelay: true, highWaterMark: HIGH_WATER_BYTES, handshakeTimeout: HANDSHAKE_MS, ALPNProtocols: ['dot'] },
    ...(files.clientCa !== undefined && { requestCert: true, rejectUnauthorized: true }),
  });
  /** By the client's address and port, until its handshake is done. */
  const connections = new Map<string, Socket>();
  const name = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
  server.prependListener('connection', (connection: Socket) => {
    if (!admit(connection)) return;
    const key = name(connection);
    connections.set(key, connection);
    connection.once('close', () => connections.delete(key));
  });
  server.on('secureConnection', (stream) => {
    stream.disableRenegotiation();
    const connection = connections.get(name(stream));
    if (connection === undefined) stream.destroy();
    else accept(stream, connection);
  });
  server.on('tlsClientError', () => void counters[COUNTER.PUSH_TLS_FAILED]++);
  return { server, stop: reread(server, files, read, deps, address) };
}

/** Renewed certificates take effect for new connections. */
function reread(
  server: TlsServer,
  files: NonNullable<PushSettings['tls']>,
  first: SecureContextOptions,
  { clock, log }: ListenDeps,
  address: SocketAddress,
): () => void {
  let known = textOf(first);
  let timer = clock.setTimeout(look, REREAD_MS);
  function look(): void {
    try {
      const options = readFiles(files, address);
      if (textOf(options) !== known) {
        server.setSecureContext(options);
        log('info', `DNS Push: certificate reread: ${files.cert}`);
      }
      known = textOf(options);
    } catch (error) {
      log('warn', `DNS Push: certificate cannot be used, the previous one stays: ${(error as Error).message}`);
    }
    timer = clock.setTimeout(look, REREAD_MS);
  }
  return () => timer.cancel();
}

function readFiles(
  { cert, key, clientCa }: NonNullable<PushSettings['tls']>,
  address: SocketAddress,
): SecureContextOptions {
  try {
    return {
      minVersion: 'TLSv1.2',
      cert: readFileSync(cert),
      key: readFileSync(key),
      ...(clientCa !== undefined && { ca: readFileSync(clientCa) }),
    };
  } catch (error) {
    throw listenError(address, 'tcp', (error as NodeJS.ErrnoException).code ?? `${error}`);
  }
}

const textOf = ({ cert, key, ca }: SecureContextOptions): string => [cert, key, ca].map(String).join('\n');

function listening(server: Server, address: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(address, 'tcp', error.code ?? `${error}`)),
    );
    const { address: host, port } = address;
    server.listen({ host, port, backlog: BACKLOG, exclusive: true, ipv6Only: host.includes(':') }, resolve);
  });
}
