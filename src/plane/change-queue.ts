// Changes on their way to the data threads: bounded, ordered, and coalesced while they wait. A name that changes faster
// than the threads apply changes is sent once, in its last state.

import type { HashSeed } from '../dns/name-hash.ts';
import { changeKey, encodeChanges } from './messages.ts';
import type { Change } from './records.ts';

/** Maximum number of unacknowledged messages: one being applied, the others in flight. */
const WINDOW = 4;

export interface ChangeQueue<Receiver> {
  /** Resolves when every receiver has applied them, or later states of the same names. Rejects once closed. */
  add(changes: readonly Change[]): Promise<void>;
  acknowledge(id: number, receiver: Receiver): void;
  /** Sends it no more messages, and waits for none of its acknowledgements. */
  drop(receiver: Receiver): void;
  /** Number of names and zones waiting to be sent. */
  waiting(): number;
  close(): void;
}

export interface ChangeQueueDeps<Receiver> {
  readonly hashSeed: HashSeed;
  receivers(): readonly Receiver[];
  /** `bytes` are the receiver's own. */
  send(receiver: Receiver, id: number, bytes: ArrayBuffer): void;
  onBad(change: Change, error: Error): void;
}

interface Message<Receiver> {
  readonly id: number;
  /** All changes up to this number are in this message or an earlier one. */
  readonly upTo: number;
  readonly waitsFor: Set<Receiver>;
}

/** The later state of a name, zone or slot; of a name in parts, the parts that it does not state remain as stated earlier. */
function joined(earlier: Change, later: Change): Change {
  if (earlier.kind !== 'replace-parts' || later.kind !== 'replace-parts' || later.isWhole) return later;
  const stated = new Set(later.parts.map(({ part }) => part));
  const parts = [...earlier.parts.filter(({ part }) => !stated.has(part)), ...later.parts];
  return { ...later, isWhole: earlier.isWhole, parts };
}

export function createChangeQueue<Receiver>(deps: ChangeQueueDeps<Receiver>): ChangeQueue<Receiver> {
  /** A later state replaces the earlier one, so waiting for the earlier one needs nothing more. */
  const pending = new Map<string, { number: number; change: Change }>();
  const waiters: { readonly number: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    [];
  const sent: Message<Receiver>[] = [];
  /** Counts changes of many names among `pending`: what is added after one must not be sent before it. */
  let era = 0;
  let lastNumber = 0;
  let lastId = 0;
  let closed = false;

  /** Removes changes from `pending` as they are consumed. */
  function* taken(): Generator<Change> {
    for (const [key, { change }] of pending) {
      pending.delete(key);
      yield change;
    }
  }

  const pump = (): void => {
    while (sent.length < WINDOW && pending.size > 0) {
      const bytes = encodeChanges(taken(), deps.hashSeed, deps.onBad);
      const [next] = pending.values();
      const upTo = next === undefined ? lastNumber : next.number - 1;
      const receivers = deps.receivers();
      const id = ++lastId;
      sent.push({ id, upTo, waitsFor: new Set(bytes === undefined ? [] : receivers) });
      if (bytes === undefined) continue;
      receivers.forEach((receiver, i) => {
        deps.send(receiver, id, i === receivers.length - 1 ? bytes : bytes.slice(0));
      });
    }
    settle();
  };

  /** Messages are acknowledged in the order in which they were sent. */
  const settle = (): void => {
    let settled = false;
    while (sent.length > 0 && sent[0].waitsFor.size === 0) {
      const { upTo } = sent[0];
      sent.shift();
      settled = true;
      while (waiters.length > 0 && waiters[0].number <= upTo) waiters.shift()?.resolve();
    }
    if (settled) pump();
  };

  return {
    add(changes) {
      if (closed) return Promise.reject(new Error('the data plane is closed'));
      if (pending.size === 0) era = 0;
      for (const change of changes) {
        const isPacked = change.kind === 'replace-names';
        if (isPacked) era++;
        const key = isPacked ? `packed ${era}` : era === 0 ? changeKey(change) : `${changeKey(change)} ${era}`;
        const earlier = pending.get(key);
        pending.set(key, {
          number: earlier?.number ?? ++lastNumber,
          change: earlier === undefined ? change : joined(earlier.change, change),
        });
      }
      if (changes.length === 0) return Promise.resolve();
      return new Promise<void>((resolve, reject) => {
        waiters.push({ number: lastNumber, resolve, reject });
        pump();
      });
    },
    acknowledge(id, receiver) {
      sent.find((message) => message.id === id)?.waitsFor.delete(receiver);
      settle();
    },
    drop(receiver) {
      for (const message of sent) message.waitsFor.delete(receiver);
      settle();
    },
    waiting: () => pending.size,
    close() {
      closed = true;
      pending.clear();
      for (const waiter of waiters.splice(0)) waiter.reject(new Error('the data plane was closed'));
    },
  };
}
