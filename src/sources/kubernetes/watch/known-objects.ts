// What a kind's objects last said, as far as list-and-watch must know: their keys and resource versions. Applies events
// and complete lists so that nothing older replaces anything newer, and so that a list that lost most of what was known, or
// that is older than it, is not believed before a second one says the same. Older is a list of an API server that lags, and
// then the next one is not; or of one whose etcd was restored from a backup, and then older is right.
import type { Logger } from '../../../log.ts';
import { TextTable } from '../../../memory/text-table.ts';
import { RegistryLimitError } from '../../../registry/limits.ts';
import type { KindReport } from '../../status.ts';
import { type Fields, fields, MalformedObject, type Metadata, metadata } from '../api/objects.ts';
import type { WatchedKind } from './watched-kind.ts';

export interface KnownObjects {
  /** An object that exists. */
  upsert(object: unknown): void;
  /** An object that was deleted, in its last state. */
  delete(object: unknown): void;
  beginList(): void;
  /**
   * All objects since beginList were the complete list, of this resource version: others are gone. False: so many are
   * gone, or it is so old, that the list is not believed before another has said so too; nothing was removed.
   */
  endList(resourceVersion: string): boolean;
  /** The server is at this resource version. False: it was further on before. */
  advance(resourceVersion: string): boolean;
  /** Whether what is known is newer than this resource version. */
  isAhead(resourceVersion: string): boolean;
  /** Whether this resource version is newer than all that is known. */
  isBehind(resourceVersion: string): boolean;
  /** The server's history is another one: versions that were seen say nothing of it. */
  forgetVersions(): void;
  /** Keys known from a snapshot, to be compared with the first list. */
  restore(keys: Iterable<string>): void;
  keys(): IterableIterator<string>;
  has(key: string): boolean;
  /** Takes back what would grow old, and forgets all: the server refuses the kind. */
  abandon(): void;
}

/** Losing fewer than this many objects at once needs no second list. */
const MASS_LOSS = 10;
/** Names of malformed objects that were logged; beyond, they are only counted. */
const LOGGED_ONCE = 1_000;

/** `onAnotherHistory`: a second list was as old as the one that was not believed, so the server's history went back. */
export function createKnownObjects(
  kind: WatchedKind,
  report: KindReport,
  log: Logger,
  onAnotherHistory: () => void = () => {},
): KnownObjects {
  /**
   * Keys, each with its resource version less the first one seen, which nearly always fits 32 bits. undefined: from a
   * snapshot, or no number.
   */
  const known = new TextTable<string>((key) => key);
  let firstVersion: number | undefined;
  /** The latest of all versions seen, less the first one as well. */
  let latest: number | undefined;
  const logged = new Set<string>();
  let listed: Set<string> | undefined;
  let listIsOlder = false;
  /** What the list before this one was not believed for. */
  let doubt: 'loss' | 'age' | undefined;

  /** Runs what handles one object; a bad object must not stop the others. */
  function guard(object: unknown, handle: (key: string, meta: Metadata, raw: Fields) => void): void {
    let name = '(no name)';
    try {
      const raw = fields(object, 'the object');
      const meta = metadata(raw);
      name = `${meta.namespace}/${meta.name}`;
      handle(kind.keyOf(meta.namespace, meta.name), meta, raw);
    } catch (error) {
      report.count(error instanceof RegistryLimitError ? 'refused' : 'malformed');
      if (logged.size >= LOGGED_ONCE || logged.has(name)) return;
      logged.add(name);
      const expected = error instanceof MalformedObject || error instanceof RegistryLimitError;
      log.warn('object left out', { object: name, reason: expected ? error.message : (error as Error).stack });
    }
  }

  /** Comparable versions of one kind; undefined where the server's version is no number. */
  function versionOf(resourceVersion: string): number | undefined {
    const version = versionNumber(resourceVersion);
    if (version === undefined) return undefined;
    firstVersion ??= version;
    return version - firstVersion;
  }

  const isOlder = (version: number | undefined, before: number | undefined): boolean =>
    before !== undefined && version !== undefined && version < before;

  /** Versions that a list is not held against: it has been confirmed that the server's history is another one. */
  const isAnotherHistory = () => listed !== undefined && doubt === 'age';

  function advance(version: number | undefined): boolean {
    if (version === undefined) return true;
    if (latest !== undefined && version < latest) return false;
    latest = version;
    return true;
  }

  function takeAway(keys: readonly string[]): void {
    for (const key of keys) {
      known.delete(key);
      kind.remove(key);
    }
  }

  return {
    upsert(object) {
      guard(object, (key, meta, raw) => {
        listed?.add(key); // even when it turns out malformed: it exists, and what it said before stands
        const version = versionOf(meta.resourceVersion);
        if (!isAnotherHistory()) {
          const before = known.numberOf(key);
          if (isOlder(version, before)) {
            listIsOlder = true;
            return report.count('outdated');
          }
          if (version !== undefined && before === version) return;
        }
        const problem = kind.replace(key, meta, raw);
        known.set(key, version);
        if (listed === undefined) advance(version);
        if (problem !== undefined) throw problem;
      });
      report.objects(known.size);
    },
    delete(object) {
      guard(object, (key, meta) => {
        const version = versionOf(meta.resourceVersion);
        if (isOlder(version, known.numberOf(key))) return report.count('outdated');
        if (listed === undefined) advance(version);
        listed?.delete(key);
        if (known.delete(key)) kind.remove(key);
      });
      report.objects(known.size);
    },
    beginList() {
      listed = new Set();
      listIsOlder = false;
    },
    endList(resourceVersion) {
      const version = versionOf(resourceVersion);
      const isOld = !isAnotherHistory() && (!advance(version) || listIsOlder);
      const lost = [...known.values()].filter((key) => !listed!.has(key));
      const left = known.size - lost.length;
      const isMassLoss = lost.length > 0 && (left === 0 || lost.length > Math.max(MASS_LOSS, known.size / 2));
      const believed = !isOld && (!isMassLoss || doubt !== undefined);
      const wentBack = isAnotherHistory();
      if (wentBack) latest = version;
      doubt = believed ? undefined : isOld ? 'age' : 'loss';
      listed = undefined;
      if (believed) takeAway(lost);
      else if (isOld) log.warn('list is older than what is known, asking again before believing it');
      else
        log.warn('list lost most objects, asking again before believing it', { known: known.size, lost: lost.length });
      report.objects(known.size);
      if (wentBack) onAnotherHistory();
      return believed;
    },
    advance: (resourceVersion) => advance(versionOf(resourceVersion)),
    isAhead(resourceVersion) {
      const version = versionOf(resourceVersion);
      return version !== undefined && latest !== undefined && version < latest;
    },
    isBehind(resourceVersion) {
      const version = versionOf(resourceVersion);
      return version !== undefined && (latest === undefined || version > latest);
    },
    forgetVersions() {
      for (const key of [...known.values()]) known.set(key);
      latest = undefined;
      if (doubt === 'age') doubt = undefined;
    },
    restore(keys) {
      for (const key of keys) known.set(key);
      report.objects(known.size);
    },
    keys: () => known.values(),
    has: (key) => known.get(key) !== undefined,
    abandon() {
      if (kind.abandon === undefined) return;
      kind.abandon(known.values());
      known.clear();
      report.objects(0);
    },
  };
}

/**
 * Resource versions are comparable numbers of one kind (KEP-5504, and etcd revisions before it said so); of an API that
 * stores elsewhere they may be any text.
 */
const versionNumber = (version: string): number | undefined =>
  /^[1-9]\d{0,15}$/.test(version) ? Number(version) : undefined;
