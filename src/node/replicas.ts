// Which replica has the session: one at a time, the others stand by. A lost session is made again at once, a failing one less
// and less often, and never by all nodes at the same moment.
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Clock, Random, Timer } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import type { ReplicasConfig } from '../config/node-config.ts';
import { type Attempt, NOT_CONNECTED, type Transport } from '../forward/upstream/attempt.ts';
import type { Logger } from '../log.ts';
import { formatSocketAddress } from '../native/socket-address.ts';
import { Session, type SessionEvents } from './session.ts';

export interface ReplicasDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What the session says, with its beginning and its end. */
  readonly events: Omit<SessionEvents, 'established' | 'ended'>;
  established(): void;
  /** The replica was last heard of then. */
  lost(lastHeardMs: number): void;
}

export interface ReplicaCounts {
  established: number;
  /** Sessions that ended, and attempts that failed. */
  lost: number;
  failed: number;
  retryDelays: number;
  pushes: number;
}

export interface Replicas {
  readonly counts: ReplicaCounts;
  /** The established session. */
  session(): Session | undefined;
  /** "192.0.2.1:853"; of the session, or of the one that is tried. */
  address(): string;
  /** Why there is no session, "192.0.2.1:853: ECONNREFUSED; …", of each replica; '': there is one, or none was tried yet. */
  trouble(): string;
  /** Queries over the session; without one they fail at once, so that the next server is asked at once. */
  readonly transport: Transport;
  /** A question that is not a client's. */
  askAgain(attempt: Attempt): void;
  stop(): void;
}

/** The first attempts after a loss are spread over this. */
const FIRST_MS = 500;
const MOST_MS = 30_000;
/** What a replica may ask for at most. */
const MAX_RETRY_MS = 600_000;
const MOST_DOUBLINGS = 10;

export function startReplicas(config: ReplicasConfig, deps: ReplicasDeps): Replicas {
  const { clock, log } = deps;
  const counts: ReplicaCounts = { established: 0, lost: 0, failed: 0, retryDelays: 0, pushes: 0 };
  const turns = createTurns(config.push.length, deps.random);
  const tickets = new Map<string, Buffer>();
  const address = () => formatSocketAddress(config.push[turns.place()]);
  let current: Session | undefined;
  let established: Session | undefined;
  /** By its address, what was wrong with each replica since it had the session. */
  const troubles = new Map<string, string>();
  let timer: Timer | undefined;
  let isStopped = false;

  const connect = (): void => {
    try {
      const socket = open(config.push[turns.place()], config.tls, tickets);
      const session = new Session(socket, config.tls === undefined ? 'connect' : 'secureConnect', clock, {
        ...deps.events,
        established: () => establish(session),
        ended: (reason, retryMs) => end(session, reason, retryMs),
      });
      current = session;
    } catch (error) {
      // The file of the authority cannot be read.
      retryLater(false, (error as Error).message, 0);
    }
  };

  const establish = (session: Session): void => {
    established = session;
    turns.succeeded();
    troubles.delete(address());
    counts.established++;
    log.info('session established', { replica: address() });
    deps.established();
  };

  const end = (session: Session, reason: string, retryMs: number): void => {
    const wasEstablished = session === established;
    counts.pushes += session.pushes;
    current = undefined;
    established = undefined;
    if (wasEstablished && !isStopped) {
      log.warn('session lost', { replica: address(), reason });
      deps.lost(session.lastHeardMs);
    }
    if (!isStopped) retryLater(wasEstablished, reason, retryMs);
  };

  const retryLater = (wasEstablished: boolean, reason: string, retryMs: number): void => {
    counts[wasEstablished ? 'lost' : 'failed']++;
    if (!wasEstablished && troubles.get(address()) !== reason) log.warn('no session', { replica: address(), reason });
    troubles.set(address(), reason);
    if (retryMs > 0) counts.retryDelays++;
    timer = clock.setTimeout(connect, turns.failed(clock.monotonicMs(), Math.min(retryMs, MAX_RETRY_MS)));
  };

  const ask = (attempt: Attempt, forClient: boolean): void => {
    if (established === undefined) attempt.failed(NOT_CONNECTED);
    else established.ask(attempt, forClient);
  };

  connect();
  return {
    counts,
    address,
    session: () => established,
    trouble: () => (established === undefined ? [...troubles].map((trouble) => trouble.join(': ')).join('; ') : ''),
    transport: {
      send: (attempt) => ask(attempt, true),
      cancel: (attempt) => (attempt.via as Session | undefined)?.cancel(attempt),
      open: () => (established === undefined ? 0 : 1),
      close() {},
    },
    askAgain: (attempt) => ask(attempt, false),
    stop() {
      isStopped = true;
      timer?.cancel();
      current?.end('stopped');
    },
  };
}

/** Whose turn it is, and when. */
function createTurns(count: number, random: Random) {
  /** Until when each is not to be tried. */
  const notBefore = new Array<number>(count).fill(0);
  let place = 0;
  let failures = 0;

  /** The next one, unless another may be tried sooner. */
  const next = (): number => {
    let best = (place + 1) % count;
    for (let i = 2; i <= count; i++) {
      const other = (place + i) % count;
      if (notBefore[other] < notBefore[best]) best = other;
    }
    return best;
  };

  return {
    place: () => place,
    succeeded() {
      failures = 0;
    },
    /** Returns after how many milliseconds the next one is to be tried. `retryMs`: it does not want this one back before. */
    failed(nowMs: number, retryMs: number): number {
      notBefore[place] = nowMs + retryMs;
      place = next();
      // Each once before the waits grow.
      const rounds = Math.min(MOST_DOUBLINGS, Math.floor(failures++ / count));
      const growingMs = Math.min(MOST_MS, FIRST_MS * 2 ** rounds) * (0.5 + random() / 2);
      return Math.max(rounds === 0 ? FIRST_MS * random() : growingMs, notBefore[place] - nowMs);
    },
  };
}

/** Throws if the file of the authority cannot be read. */
function open(to: ListenAddress, tls: ReplicasConfig['tls'], tickets: Map<string, Buffer>): Socket {
  if (tls === undefined) return connectTcp(to.port, to.address);
  const name = tls.serverName ?? to.address;
  const key = formatSocketAddress(to);
  const socket = process.getBuiltinModule('node:tls').connect({
    host: to.address,
    port: to.port,
    // RFC 6066 section 3: no addresses in SNI. Node checks the certificate against `host` then.
    servername: isIP(name) === 0 ? name : '',
    ca: tls.ca === undefined ? undefined : readFileSync(tls.ca),
    ALPNProtocols: ['dot'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    session: tickets.get(key),
  });
  socket.on('session', (ticket) => tickets.set(key, ticket));
  return socket;
}
