// The agent of a node: connects what is held, the session that keeps it true, and what answers from it.
import { randomInt } from 'node:crypto';
import type { Clock, Random } from '../clock.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { isSubdomain, parseName, type WireName } from '../dns/name.ts';
import { EDE } from '../dns/types.ts';
import type { Logger } from '../log.ts';
import { NativeDatagrams, type OpenSocket, openDatagram } from '../native/connected-datagram.ts';
import { loadLibc } from '../native/libc.ts';
import type { ListeningAddress } from '../plane/plane.ts';
import { type Listeners, openListeners } from '../server/listeners.ts';
import { type Answering, createAnswering } from './answering.ts';
import { type Audit, startAudit } from './audit.ts';
import { AGE_MS, createHeld, type Delivery, type Held } from './held.ts';
import { type Replicas, startReplicas } from './replicas.ts';

export interface AgentDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** For metrics, explanations and probes. */
export interface AgentState {
  readonly config: NodeConfig;
  readonly clock: Clock;
  readonly answering: Answering;
  readonly held: Held;
  readonly replicas: Replicas;
  readonly audit: Audit;
  /** There has been a session. */
  hasBeenFresh(): boolean;
  listening(): readonly ListeningAddress[];
}

export interface Agent extends AgentState {
  /** Opens the sockets, once there is a session or it takes too long. Rejects with ListenError. */
  listen(): Promise<void>;
  /** Answers what was received, and ends. */
  stop(): Promise<void>;
}

/** A second process has what it needs to answer before it takes queries from the first. */
const SESSION_BEFORE_LISTEN_MS = 2_000;
/** Subscriptions that are made in one turn after a session was lost. */
const RESUBSCRIBED_AT_ONCE = 256;
/** Names that are aged in one turn, some milliseconds: of 10,000, all at once would keep clients waiting for 0.1 s. */
const AGED_AT_ONCE = 256;
/** What is used between two sweeps is used at the same time, when room is made. */
const MOST_SWEEP_MS = 5_000;
/** The longest time until an upstream's answer or SERVFAIL is below this. */
const DRAIN_MS = 5_000;
const DRAIN_POLL_MS = 20;
/** Where a replica does not say why its own data are stale. */
const STALE = 'the data of the replica are stale';
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: connects the parts, which need each other
export function startAgent(config: NodeConfig, deps: AgentDeps): Agent {
  const { clock, random, log } = deps;
  const hashSeed = randomInt(2 ** 31);
  const zones = config.zones.map((zone) => parseName(zone));
  const libc = config.server.udp === 'plain' ? 'switched off' : loadLibc();
  const datagrams = typeof libc === 'string' ? undefined : new NativeDatagrams(libc);
  let loopRuns = false;
  let hasBeenFresh = false;
  let isStopped = false;
  let listeners: Listeners | undefined;
  const openSocket: OpenSocket = (...socket) =>
    datagrams !== undefined && loopRuns ? datagrams.open(...socket) : openDatagram(...socket);

  const held = createHeld({
    ...{ clock, random, hashSeed, zones, limits: config.hold },
    publish: (change) => answering.apply(change),
    subscriber: {
      subscribe: (name, type) => replicas.session()?.subscribe(name, type),
      unsubscribe: (id) => replicas.session()?.unsubscribe(id),
    },
  });
  const answering = createAnswering(config, {
    ...{ clock, random, log, libc, openSocket, hashSeed, used: held.used },
    transport: {
      send: (attempt) => replicas.transport.send(attempt),
      cancel: (attempt) => replicas.transport.cancel(attempt),
      open: () => replicas.transport.open(),
      close() {},
    },
    hasSession: () => replicas.session() !== undefined,
  });
  const staleness = createStaleness(zones, answering);

  const established = (): void => {
    hasBeenFresh = true;
    // Answers of ordinary servers were cached by their TTL.
    for (const name of zones)
      for (const forwarder of answering.engine.forwarders) forwarder.flush({ kind: 'below', name });
    const { session } = replicas;
    const now = session();
    const some = (): void => {
      if (session() === now && held.resubscribe(RESUBSCRIBED_AT_ONCE)) clock.setTimeout(some, 0);
    };
    some();
  };

  const age = (): void => {
    if (isStopped) return;
    ageing.cancel();
    const isLost = held.age(AGED_AT_ONCE);
    if (replicas.session() === undefined && hasBeenFresh) staleness.lost(clock.monotonicMs());
    else if (isLost === false) staleness.fresh();
    ageing = clock.setTimeout(age, isLost === undefined ? 0 : AGE_MS);
  };

  const sweep = (): void => {
    if (isStopped) return;
    held.sweep();
    clock.setTimeout(sweep, Math.min(MOST_SWEEP_MS, (config.hold.unusedSeconds * 1000) / 4));
  };

  const replicas: Replicas = startReplicas(config.replicas, {
    ...{ clock, random, log, established },
    events: {
      answered: (name, type) => held.want(name, type),
      isEmpty: (id) => held.isEmpty(id),
      refused: (id, retryMs) => held.refused(id, retryMs),
      deliver(delivery) {
        staleness.note(delivery);
        held.deliver(delivery);
      },
    },
    lost(lastHeardMs) {
      held.lost(lastHeardMs);
      staleness.begin(lastHeardMs);
      age();
    },
  });
  const audit = startAudit({ clock, log, held, ask: replicas.askAgain });
  staleness.fresh();
  let ageing = clock.setTimeout(age, AGE_MS);
  sweep();

  const isBusy = () =>
    answering.engine.forwarders.some((forwarder) => forwarder.gauges().waiting > 0) ||
    (listeners?.connections() ?? 0) > 0;

  return {
    ...{ config, clock, answering, held, replicas, audit },
    hasBeenFresh: () => hasBeenFresh,
    listening: () => listeners?.addresses ?? [],
    async listen() {
      const endMs = clock.monotonicMs() + SESSION_BEFORE_LISTEN_MS;
      while (!hasBeenFresh && clock.monotonicMs() < endMs) await pause(clock, DRAIN_POLL_MS);
      listeners = await openListeners(answering.handler, dataPlaneSettings(config, libc), config.listen, {
        clock,
        shared: typeof libc !== 'string',
        libc,
        alsoReadable: datagrams && [datagrams],
        nextDeadlineMs: () => answering.engine.forwarders[0].nextDeadlineMs(),
        onDescriptor() {},
      });
      loopRuns = listeners.addresses.some(({ mode }) => mode === 'batched');
    },
    async stop() {
      await listeners?.stop();
      const endMs = clock.monotonicMs() + DRAIN_MS;
      while (isBusy() && clock.monotonicMs() < endMs) await pause(clock, DRAIN_POLL_MS);
      isStopped = true;
      audit.stop();
      replicas.stop();
      await listeners?.close();
      for (const forwarder of answering.engine.forwarders) forwarder.close();
      datagrams?.close();
    },
  };
}

const pause = (clock: Clock, ms: number) =>
  new Promise<void>((resolve) => void clock.setTimeoutKeepingAlive(resolve, ms));

function dataPlaneSettings({ server, limits, listen }: NodeConfig, libc: unknown) {
  return {
    listen,
    threads: 1,
    udp: server.udp,
    // A second process takes the addresses while this one still answers.
    reusePort: typeof libc !== 'string',
    responder: {
      udpPayloadBytes: server.udpPayloadBytes,
      versionBind: server.versionBind,
      idServer: server.idServer,
      forwarding: true,
      tcpIdleMs: limits.tcpIdleSeconds * 1000,
    },
    tcp: {
      connections: limits.tcpConnections,
      idleMs: limits.tcpIdleSeconds * 1000,
      totalMs: limits.tcpTotalSeconds * 1000,
      unreadBytes: limits.tcpUnreadBytes,
      unreadTotalBytes: limits.tcpUnreadTotalBytes,
    },
    forward: undefined,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  };
}

/** Which zones' answers carry EDE 3, and with which text: all while there is no session, else those of which the replica says so. */
function createStaleness(zones: readonly WireName[], answering: Answering) {
  const said = zones.map(() => '');
  const shown: (string | undefined)[] = zones.map(() => undefined);
  let sinceMs = 0;

  const show = (place: number, why: string): void => {
    if (shown[place] === why) return;
    shown[place] = why;
    const zone = { name: zones[place], ready: false, partial: true, stale: why !== '', fallthrough: [], why };
    answering.apply({ kind: 'replace-zone', zone });
  };

  return {
    begin(lastHeardMs: number): void {
      sinceMs = lastHeardMs;
    },
    lost(nowMs: number): void {
      const why = `the replica was last heard of ${Math.max(0, Math.round((nowMs - sinceMs) / 1000))} s ago`;
      for (const place of zones.keys()) show(place, why);
    },
    fresh(): void {
      for (const place of zones.keys()) show(place, said[place]);
    },
    /** The replica's own data may be stale. */
    note({ name, errors }: Delivery): void {
      const fitting = zones.filter((zone) => isSubdomain(name, zone)).sort((a, b) => b.length - a.length);
      const stale = errors.find(({ infoCode }) => infoCode === EDE.STALE_ANSWER);
      if (fitting.length > 0) said[zones.indexOf(fitting[0])] = stale === undefined ? '' : stale.text || STALE;
    },
  };
}
