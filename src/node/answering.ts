// How a node answers: what is held from the table, by the server's own responder; all else by the forwarder, whose first
// server for our zones is the session.
import type { Clock, Random } from '../clock.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { HEADER_BYTES, UDP_BYTES_WITHOUT_EDNS } from '../dns/limits.ts';
import { isSubdomain, parseName, type WireName } from '../dns/name.ts';
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { createForwarder } from '../forward/forwarder.ts';
import type { Transport } from '../forward/upstream/attempt.ts';
import { createObserver } from '../front/observer.ts';
import type { Logger } from '../log.ts';
import type { OpenSocket } from '../native/connected-datagram.ts';
import type { Libc } from '../native/libc.ts';
import { createPacketMemory } from '../native/packet-memory.ts';
import { createCounters } from '../plane/counters.ts';
import { type ForwardSettings, ROUTE_DEFAULTS, type UpstreamSettings } from '../plane/forward-settings.ts';
import { encodeChanges } from '../plane/messages.ts';
import type { Change } from '../plane/records.ts';
import type { QueryHandler } from '../server/answer/query-handler.ts';
import { createEngine, type Engine } from '../thread/engine.ts';
import { usedSlotOf } from './held.ts';

export interface AnsweringDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly libc: Libc | string;
  readonly openSocket: OpenSocket;
  readonly hashSeed: HashSeed;
  /** Names that are asked for are noted here (held.ts). */
  readonly used: Uint8Array;
  readonly transport: Transport;
  hasSession(): boolean;
}

export interface Answering {
  readonly engine: Engine;
  /** Of queries to any address. */
  readonly handler: QueryHandler;
  apply(...changes: readonly Change[]): void;
}

/** Packets per batch. */
const BATCH = 64;
/** The first server of our zones. No address: its transport is the session. */
const SESSION: UpstreamSettings = { address: 'session', port: 0, tls: undefined };

export function createAnswering(config: NodeConfig, deps: AnsweringDeps): Answering {
  const { clock, random, log, libc, hashSeed } = deps;
  const counters = createCounters();
  const zones = config.zones.map((zone) => parseName(zone));
  const isOfZones = (name: WireName) => zones.some((zone) => isSubdomain(name, zone));
  const bytes = Math.max(UDP_BYTES_WITHOUT_EDNS, config.server.udpPayloadBytes);
  const logLine = (level: 'info' | 'warn' | 'error', message: string) => log[level](message);
  const engine = createEngine({
    memory: createPacketMemory(BATCH, bytes, typeof libc === 'string' ? undefined : libc.allocate),
    // Only what may be answered is pushed.
    slots: Uint8Array.of(1),
    counters,
    settings: {
      udpPayloadBytes: config.server.udpPayloadBytes,
      versionBind: config.server.versionBind,
      idServer: config.server.idServer,
      forwarding: true,
      tcpIdleMs: config.limits.tcpIdleSeconds * 1000,
    },
    hashSeed,
    rotationSeed: Math.floor(random() * 2 ** 31),
    createForwarder: (ours) =>
      createForwarder(withZones(config), {
        ...ours,
        clock,
        log: logLine,
        openSocket: deps.openSocket,
        loopToken: String(random()).slice(2),
        isOthers: (name, question) => isOfZones(name) && !isOfZones(question.name),
        transportTo: (settings) => (settings === SESSION ? deps.transport : undefined),
        // What is not subscribed is not known to be true the next moment.
        mostSeconds({ name }, { finalName, hasData }) {
          if (!isOfZones(name) && !isOfZones(finalName)) return Number.POSITIVE_INFINITY;
          if (!hasData) return config.hold.negativeSeconds;
          return deps.hasSession() ? 0 : Number.POSITIVE_INFINITY;
        },
      }),
    front: config.front,
    observer: createObserver({
      counting: undefined,
      tap: undefined,
      logQuery: (line) => log.info('query', { ...line }),
      monotonicMs: clock.monotonicMs,
      random,
    }),
    onError: (error) => log.error('a query could not be answered', { error: error.stack ?? String(error) }),
  });
  return {
    engine,
    handler: noting(engine, deps),
    apply(...changes) {
      const bad = (_change: Change, error: Error) => log.error('cannot hold a record', { error: error.message });
      const all = changes[Symbol.iterator]();
      for (;;) {
        const message = encodeChanges(all, hashSeed, bad);
        if (message === undefined) return;
        engine.apply(message);
      }
    },
  };
}

/** The settings of the file, and the routes of our zones before them. */
function withZones({ forward, zones, replicas }: NodeConfig): ForwardSettings {
  const upstreams = [SESSION, ...replicas.dns];
  const routes = zones.map((zone) => ({ ...ROUTE_DEFAULTS, zone, upstreams, policy: 'sequential' as const }));
  return { ...forward, routes: [...routes, ...forward.routes] };
}

function noting(engine: Engine, { used, hashSeed }: AnsweringDeps): QueryHandler {
  const { memory, respondSlot, respond } = engine;
  return {
    ...engine,
    respondSlot(slot, queryLength, to, overTcp, client, port) {
      const at = memory.queryAt[slot];
      used[usedSlotOf(hashName(memory.bytes, hashSeed, at + HEADER_BYTES, at + queryLength))] = 1;
      return respondSlot(slot, queryLength, to, overTcp, client, port);
    },
    respond(query, queryLength, out, overTcp, client, port) {
      used[usedSlotOf(hashName(query, hashSeed, HEADER_BYTES, queryLength))] = 1;
      return respond(query, queryLength, out, overTcp, client, port);
    },
  };
}
