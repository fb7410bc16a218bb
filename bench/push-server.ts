// The server of bench:push: a data plane with its push thread, whose slots flip when the parent says so.
import { systemClock } from '../src/clock.ts';
import { parseName } from '../src/dns/name.ts';
import { soaRdata } from '../src/dns/rdata/values.ts';
import { TYPE } from '../src/dns/types.ts';
import type { Change, RRset } from '../src/plane/records.ts';
import { startDataPlane } from '../src/plane/threads.ts';

export interface ServerSetup {
  readonly names: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** What the parent says, and what it is told. */
export type ToServer =
  | { readonly kind: 'flip'; readonly name: number }
  | { readonly kind: 'storm'; readonly perSecond: number; readonly seconds: number }
  | { readonly kind: 'usage' };
export interface FromServer {
  readonly port?: number;
  readonly flips?: readonly (readonly [name: number, ms: number])[];
  readonly cpuMs: number;
}

const setup = JSON.parse(process.argv[2]) as ServerSetup;
const always = { routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;

/** Milliseconds of a clock that is the same in all processes. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const plane = await startDataPlane(
  {
    ...{ listen: [{ address: '127.0.0.1', port: 0 }], threads: 1, udp: 'plain', forward: undefined },
    responder: {
      udpPayloadBytes: 1232,
      versionBind: undefined,
      idServer: undefined,
      forwarding: false,
      tcpIdleMs: 1e4,
    },
    tcp: { connections: 10, idleMs: 10_000, totalMs: 60_000, unreadBytes: 65_536, unreadTotalBytes: 1 << 26 },
    receiveBufferBytes: 1 << 20,
    push: {
      ...{ listen: [{ address: '127.0.0.1', port: 0 }], tls: setup.tls, sessions: 20_000, sessionsPerClient: 20_000 },
      ...{ subscriptionsPerSession: 60_000, subscriptions: 10_000_000 },
    },
  },
  {
    threadUrl: new URL('../src/thread/thread.js', import.meta.url),
    ...{ clock: systemClock, random: Math.random, slotCapacity: 1 << 20, refill: () => [] },
    log: (level, message) => void (level === 'info' || console.error(message)),
  },
);

const rrset = (type: number, rdatas: readonly (readonly [Uint8Array, number])[]): RRset => ({
  ...{ type, ttlSeconds: 5, records: rdatas.map(([rdata, slot]) => ({ rdata, slot, weight: 1 })) },
  ...always,
});
const zone = parseName('bench.test.');
const soa = soaRdata({
  ...{ mname: zone, rname: zone, serial: 1, refreshSeconds: 1, retrySeconds: 1, expireSeconds: 1, minimumSeconds: 5 },
});
const slots: number[] = [];
const changes: Change[] = [
  { kind: 'replace-zone', zone: { name: zone, ready: true, stale: false, fallthrough: [] } },
  { kind: 'replace-name', records: { name: zone, rrsets: [rrset(TYPE.SOA, [[soa, 0]])] } },
];
for (let i = 0; i < setup.names; i++) {
  const slot = plane.slots.allocate();
  plane.slots.set(slot, true);
  slots.push(slot);
  const address = (last: number) => Uint8Array.of(10, i >> 16, i >> 8, last);
  const records = {
    name: parseName(`n${i}.bench.test.`),
    rrsets: [
      rrset(TYPE.A, [
        [address(1), 0],
        [address(2), slot],
      ]),
    ],
  };
  changes.push({ kind: 'replace-name', records });
}
await plane.apply(changes);
await plane.listen();
const tell = (message: Omit<FromServer, 'cpuMs'>): void => {
  const { user, system } = process.cpuUsage();
  process.send?.({ ...message, cpuMs: (user + system) / 1000 });
};

function flip(name: number): number {
  const slot = slots[name];
  const atMs = nowMs();
  plane.slots.set(slot, !plane.slots.get(slot));
  return atMs;
}

/** So many flips a second, of each name in turn. */
async function storm(perSecond: number, seconds: number): Promise<void> {
  const flips: [number, number][] = [];
  const startMs = nowMs();
  while (flips.length < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((nowMs() - startMs) / 1000) * perSecond);
    while (flips.length < due) {
      const name = flips.length % slots.length;
      flips.push([name, flip(name)]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  tell({ flips });
}

process.on('message', (message: ToServer) => {
  if (message.kind === 'flip') tell({ flips: [[message.name, flip(message.name)]] });
  else if (message.kind === 'storm') void storm(message.perSecond, message.seconds);
  else tell({});
});
process.on('disconnect', () => process.exit());
tell({ port: plane.pushListening()[0].port });
