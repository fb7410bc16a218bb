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

/** The later state of a name, zone or slot; of a name in parts, the parts that it omits keep their earlier state. */
function joined(earlier: Change, later: Change): Change {
  if (earlier.kind !== 'replace-parts' || later.kind !== 'replace-parts' || later.isWhole) return later;
  const stated = new Set(later.parts.map(({ part }) => part));
  const parts = [...earlier.parts.filter(({ part }) => !stated.has(part)), ...later.parts];
  return { ...later, isWhole: earlier.isWhole, parts };
}

/** A later state replaces the earlier one, so waiting for the earlier one needs nothing more. */
class WaitingChanges {
  private readonly changes = new Map<string, { readonly number: number; readonly change: Change }>();
  /** Counts changes of many names: what is added after one must not be sent before it. */
  private era = 0;

  get size(): number {
    return this.changes.size;
  }

  /** Returns whether it has this number, and not that of an earlier state. */
  add(change: Change, number: number): boolean {
    if (this.changes.size === 0) this.era = 0;
    const isPacked = change.kind === 'replace-names';
    if (isPacked) this.era++;
    const { era } = this;
    const key = isPacked ? `packed ${era}` : era === 0 ? changeKey(change) : `${changeKey(change)} ${era}`;
    const earlier = this.changes.get(key);
    this.changes.set(
      key,
      earlier === undefined ? { number, change } : { ...earlier, change: joined(earlier.change, change) },
    );
    return earlier === undefined;
  }

  /** Removes changes as they are consumed. */
  *take(): Generator<Change> {
    for (const [key, { change }] of this.changes) {
      this.changes.delete(key);
      yield change;
    }
  }

  firstNumber(otherwise: number): number {
    for (const { number } of this.changes.values()) return number;
    return otherwise;
  }

  clear(): void {
    this.changes.clear();
  }
}

export function createChangeQueue<Receiver>(deps: ChangeQueueDeps<Receiver>): ChangeQueue<Receiver> {
  const waiting = new WaitingChanges();
  const waiters: { readonly number: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    [];
  const sent: Message<Receiver>[] = [];
  let lastNumber = 0;
  let lastId = 0;
  let closed = false;

  /** Sends as many of these as a message takes. */
  const sendSome = (changes: Iterator<Change>, lastSent: () => number): void => {
    const bytes = encodeChanges(changes, deps.hashSeed, deps.onBad);
    const receivers = deps.receivers();
    const id = ++lastId;
    sent.push({ id, upTo: lastSent(), waitsFor: new Set(bytes === undefined ? [] : receivers) });
    if (bytes === undefined) return;
    receivers.forEach((receiver, i) => {
      deps.send(receiver, id, i === receivers.length - 1 ? bytes : bytes.slice(0));
    });
  };

  const pump = (): void => {
    const lastSent = () => waiting.firstNumber(lastNumber + 1) - 1;
    while (sent.length < WINDOW && waiting.size > 0) sendSome(waiting.take(), lastSent);
    settle();
  };

  /** Sends the changes that need not wait; returns their number. */
  const sendAtOnce = (changes: readonly Change[]): number => {
    let next = 0;
    const rest: Iterator<Change> = {
      next() {
        if (next === changes.length) return { done: true, value: undefined };
        lastNumber++;
        return { done: false, value: changes[next++] };
      },
    };
    while (waiting.size === 0 && sent.length < WINDOW && next < changes.length) sendSome(rest, () => lastNumber);
    return next;
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
      if (changes.length === 0) return Promise.resolve();
      for (let next = sendAtOnce(changes); next < changes.length; next++)
        if (waiting.add(changes[next], lastNumber + 1)) lastNumber++;
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
    waiting: () => waiting.size,
    close() {
      closed = true;
      waiting.clear();
      for (const waiter of waiters.splice(0)) waiter.reject(new Error('the data plane was closed'));
    },
  };
}
