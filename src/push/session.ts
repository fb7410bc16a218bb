// One client's session: a stream of messages in (RFC 8490), and what is sent to it, which waits while the client does not read.
import type { Socket } from 'node:net';
import { DEFAULT_TIMEOUT_MS } from '../dns/dso/operations.ts';
import { composePush } from '../dns/dso/push.ts';
import { buffered, createStreamReader, type StreamReader } from '../server/tcp/stream-reader.ts';
import { type AnswerSet, changesBetween } from './answer-set.ts';
import type { Key } from './keys.ts';

export interface Session {
  /** The upper half of a subscriber's word. */
  readonly index: number;
  /** What is written to; over TLS not the connection itself. */
  readonly stream: Socket;
  readonly connection: Socket;
  /** 4 or 16 bytes. */
  readonly client: Uint8Array;
  readonly reader: StreamReader;
  /** By the id of the SUBSCRIBE message. */
  readonly subscriptions: Map<number, Key>;
  /** What it has of keys whose later states it has not been sent. */
  readonly behind: Map<Key, AnswerSet>;
  /** Messages that are written together at the end of the turn, or when the client reads. Those of a PUSH are the same for all. */
  readonly pending: Uint8Array[];
  pendingBytes: number;
  isOpen: boolean;
  /** A request has been answered: from then on, the rules of sessions apply (RFC 8490 section 5.1.2). */
  isEstablished: boolean;
  /** It was told to go: nothing is read or sent any more. */
  isLeaving: boolean;
  inactivityMs: number;
  keepaliveMs: number;
  /** Of the last message other than KEEPALIVE, and of any. */
  activeMs: number;
  aliveMs: number;
  /** Since when the client has read nothing of what waits for it. */
  stalledMs: number;
  /** When it was last looked at. */
  unreadBytes: number;
}

export function createSession(
  index: number,
  stream: Socket,
  connection: Socket,
  client: Uint8Array,
  nowMs: number,
): Session {
  return {
    ...{ index, stream, connection, client, reader: createStreamReader(), isOpen: true },
    ...{
      subscriptions: new Map(),
      behind: new Map(),
      pending: [],
      pendingBytes: 0,
      isEstablished: false,
      isLeaving: false,
    },
    ...{ inactivityMs: DEFAULT_TIMEOUT_MS, keepaliveMs: DEFAULT_TIMEOUT_MS },
    ...{ activeMs: nowMs, aliveMs: nowMs, stalledMs: nowMs, unreadBytes: 0 },
  };
}

/** The client reads slower than it is sent to: states are skipped until it has caught up. */
export const isSlow = ({ stream, pendingBytes }: Session): boolean =>
  stream.writableNeedDrain || pendingBytes >= UNREAD_BYTES;

export const unreadBytesOf = ({ stream, pendingBytes }: Session): number => stream.writableLength + pendingBytes;

/** Writes what is pending, piece by piece, as far as the client reads: the state of a large RRset is many of them. */
export function flush(session: Session): void {
  const { pending, stream } = session;
  let written = 0;
  while (written < pending.length && !stream.writableNeedDrain) {
    const from = written;
    let bytes = pending[written++].length;
    while (written < pending.length && bytes + pending[written].length <= PIECE_BYTES)
      bytes += pending[written++].length;
    stream.write(written - from === 1 ? pending[from] : Buffer.concat(pending.slice(from, written), bytes));
    session.pendingBytes -= bytes;
  }
  if (written > 0) pending.splice(0, written);
}

/** The messages that lead from what it has to the present state of one key that it is behind with. */
export function catchUp(session: Session): readonly Uint8Array[] {
  const [next] = session.behind;
  if (next === undefined) return [];
  const [key, before] = next;
  session.behind.delete(key);
  const changes = changesBetween(before, key.sent);
  return changes.length === 0 ? [] : composePush(changes, key.sent.rules);
}

/** RFC 8490 sections 6.4.1 and 6.5.1: why it is to be aborted, if it is. */
export function overdue(session: Session, nowMs: number): 'inactive' | 'silent' | 'unread' | undefined {
  const { subscriptions } = session;
  const unreadBytes = unreadBytesOf(session);
  if (unreadBytes === 0 || unreadBytes < session.unreadBytes) session.stalledMs = nowMs;
  session.unreadBytes = unreadBytes;
  if (nowMs - session.stalledMs > (unreadBytes > UNREAD_BYTES ? STALLED_LARGE_MS : STALLED_MS)) return 'unread';
  if (nowMs - session.aliveMs > 2 * session.keepaliveMs) return 'silent';
  const isIdle = subscriptions.size === 0 && buffered(session.reader) === 0;
  if (isIdle && nowMs - session.activeMs > Math.max(LEAST_INACTIVE_MS, 2 * session.inactivityMs)) return 'inactive';
  return undefined;
}

const LEAST_INACTIVE_MS = 5_000;
const STALLED_MS = 30_000;
/** With more unread bytes than UNREAD_BYTES. Not at once: a single state may be larger, and take several round trips. */
const STALLED_LARGE_MS = 5_000;
const UNREAD_BYTES = 64 * 1024;
/** The buffer of the stream (listen.ts) takes one. */
const PIECE_BYTES = 16 * 1024;
