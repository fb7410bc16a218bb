// The clients of bench:push: sessions of one process that subscribe, and note when each PUSH arrives.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { composeKeepalive, composeSubscribe } from '../src/dns/dso/operations.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';

export interface HoldersSetup {
  readonly port: number;
  readonly sessions: number;
  /** Each session holds so many of `names`, from its own place on. */
  readonly namesPerSession: number;
  readonly names: number;
  readonly ca?: string;
}

/** What the parent says: hold the names once the sessions are there, tell when so many have come, tell what has come. */
export type ToHolders =
  | { readonly kind: 'subscribe' }
  | { readonly kind: 'expect'; readonly pushes: number }
  | { readonly kind: 'collect' };
export interface FromHolders {
  readonly kind: 'connected' | 'subscribed' | 'arrived' | 'expecting' | 'collected';
  readonly lastMs?: number;
  /** Of each PUSH: name, milliseconds, session. */
  readonly arrivals?: readonly (readonly [name: number, ms: number, session: number])[];
}

const setup = JSON.parse(process.argv[2]) as HoldersSetup;
const tell = (message: FromHolders): void => void process.send?.(message);
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const sockets: Socket[] = [];
/** n0 … as it is in a PUSH, whose first record begins there. */
const NAME_AT = 16;
let arrivals: [number, number, number][] = [];
let left = 0;
let whenDone: FromHolders['kind'] = 'subscribed';

function onPush(message: Buffer, session: number): void {
  const name = Number(message.toString('latin1', NAME_AT + 2, NAME_AT + 1 + message[NAME_AT]));
  const atMs = nowMs();
  arrivals.push([name, atMs, session]);
  if (--left === 0) tell({ kind: whenDone, lastMs: atMs });
}

function open(session: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const { port, ca } = setup;
    const socket =
      ca === undefined
        ? connect(port, '127.0.0.1')
        : connectTls({ host: '127.0.0.1', port, ca, servername: 'push.test' });
    let rest: Buffer = Buffer.alloc(0);
    socket.once(ca === undefined ? 'connect' : 'secureConnect', () => {
      socket.write(composeKeepalive(1, false, { inactivityMs: 3_600_000, keepaliveMs: 3_600_000 }));
    });
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      for (; rest.length - at >= 2 && rest.length - at >= 2 + rest.readUInt16BE(at); at += 2 + rest.readUInt16BE(at)) {
        const message = rest.subarray(at + 2, at + 2 + rest.readUInt16BE(at));
        if (message.readUInt16BE(0) === 0) onPush(message, session);
        else if (message.readUInt16BE(0) === 1) resolve();
      }
      rest = rest.subarray(at);
    });
    sockets.push(socket);
  });
}

function subscribe(): void {
  left = setup.sessions * setup.namesPerSession;
  sockets.forEach((socket, session) => {
    const requests = Array.from({ length: setup.namesPerSession }, (_, i) => {
      const name = parseName(`n${(session * setup.namesPerSession + i) % setup.names}.bench.test.`);
      return composeSubscribe(2 + i, { name, type: TYPE.A, class: CLASS.IN });
    });
    socket.write(Buffer.concat(requests));
  });
}

process.on('message', (message: ToHolders) => {
  if (message.kind === 'subscribe') subscribe();
  else if (message.kind === 'expect') {
    arrivals = [];
    left = message.pushes;
    whenDone = 'arrived';
    tell({ kind: 'expecting' });
  } else tell({ kind: 'collected', arrivals });
});
process.on('disconnect', () => process.exit());
/** Handshakes in groups: the backlog of the server is not what is measured. */
for (let from = 0; from < setup.sessions; from += 50)
  await Promise.all(Array.from({ length: Math.min(50, setup.sessions - from) }, (_, i) => open(from + i)));
tell({ kind: 'connected' });
