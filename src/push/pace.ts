// When the changes of a subscription are sent. Removals at once, because nobody may be sent to what is dead; additions wait for
// others for a moment; and a name that many hold is sent so seldom that it never takes more than half of the thread.
import type { Clock, Timer } from '../clock.ts';
import type { Change } from '../dns/dso/push.ts';
import { type AnswerSet, type AnswerSets, changesBetween } from './answer-set.ts';
import type { Key, Keys } from './keys.ts';

/** How long additions wait. */
const ADDITIONS_MS = 20;
/** Twice what a PUSH to one subscriber costs over TLS: 5,000 of them get a state every 250 ms. */
const MS_PER_SUBSCRIBER = 0.05;
/** Keys are looked at for so long in one turn of the event loop. */
const TURN_MS = 5;

export interface PaceDeps {
  readonly clock: Pick<Clock, 'monotonicMs' | 'setTimeout'>;
  readonly sets: AnswerSets;
  readonly keys: Keys;
  /** `key.sent` is the new state; before, it was `before`. */
  deliver(key: Key, before: AnswerSet, changes: readonly Change[]): void;
  /** The key can no longer be subscribed to. */
  cancel(key: Key, rcode: number): void;
  /** What was delivered in this turn may be written. */
  flush(): void;
}

export interface Pace {
  /** Something that the key depends on has changed; `isRestructured`: its records, not only their health. */
  changed(key: Key, isRestructured: boolean): void;
  /** Changes that have not been sent yet. */
  waiting(): number;
  close(): void;
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the keys that have changed
export function createPace({ clock, sets, keys, deliver, cancel, flush }: PaceDeps): Pace {
  const dirty = new Set<Key>();
  const waiting = new Set<Key>();
  let turn: NodeJS.Immediate | undefined;
  let timer: Timer | undefined;
  let timerMs = 0;

  const evaluate = (key: Key): AnswerSet | undefined => {
    const { set, rcode } = sets.evaluate(key.name, key.type);
    if (set === undefined) cancel(key, rcode);
    else if (key.isRestructured) keys.setDependencies(key, sets.dependencies());
    key.isRestructured = false;
    return set;
  };

  const wait = (key: Key, dueMs: number): void => {
    if (key.dueMs === 0 || dueMs < key.dueMs) key.dueMs = dueMs;
    waiting.add(key);
    wakeAt(key.dueMs);
  };

  const wakeAt = (dueMs: number): void => {
    if (timer !== undefined && timerMs <= dueMs) return;
    timer?.cancel();
    timerMs = dueMs;
    timer = clock.setTimeout(onTimer, Math.max(1, dueMs - clock.monotonicMs()));
  };

  const send = (key: Key, set: AnswerSet, changes: readonly Change[], nowMs: number): void => {
    const before = key.sent;
    waiting.delete(key);
    key.dueMs = 0;
    key.sent = set;
    key.sentMs = nowMs;
    key.whole = undefined;
    deliver(key, before, changes);
  };

  const look = (key: Key, nowMs: number): void => {
    if (key.count === 0) {
      waiting.delete(key);
      return;
    }
    const paceMs = key.sentMs + key.count * MS_PER_SUBSCRIBER;
    if (nowMs < paceMs) {
      key.dueMs = 0;
      wait(key, paceMs);
      return;
    }
    const isDue = key.dueMs !== 0 && key.dueMs <= nowMs;
    const set = evaluate(key);
    if (set === undefined) return;
    const changes = changesBetween(key.sent, set);
    if (changes.length === 0) {
      waiting.delete(key);
      key.dueMs = 0;
    } else if (isDue || changes.some(({ action }) => action !== 'add')) send(key, set, changes, nowMs);
    else wait(key, nowMs + ADDITIONS_MS);
  };

  const onTurn = (): void => {
    turn = undefined;
    const startMs = clock.monotonicMs();
    for (const key of dirty) {
      dirty.delete(key);
      look(key, clock.monotonicMs());
      if (clock.monotonicMs() - startMs > TURN_MS) break;
    }
    flush();
    if (dirty.size > 0) turn = setImmediate(onTurn);
  };

  const onTimer = (): void => {
    timer = undefined;
    const nowMs = clock.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const key of waiting) {
      if (key.dueMs <= nowMs) dirty.add(key);
      else if (key.dueMs < next) next = key.dueMs;
    }
    if (next < Number.POSITIVE_INFINITY) wakeAt(next);
    if (dirty.size > 0) onTurn();
  };

  return {
    changed(key, isRestructured) {
      key.isRestructured ||= isRestructured;
      dirty.add(key);
      turn ??= setImmediate(onTurn);
    },
    waiting: () => dirty.size + waiting.size,
    close() {
      timer?.cancel();
      if (turn !== undefined) clearImmediate(turn);
    },
  };
}
