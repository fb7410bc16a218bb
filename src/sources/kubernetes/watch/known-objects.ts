// The keys and resource versions of a kind's objects. Applies events and complete lists so that nothing older replaces anything
// newer. A list that lost most objects, or that is older than what is known, counts only if a second one confirms it: the list
// of an API server that lags is followed by a newer one; that of one whose etcd was restored from a backup is not.
import type { Logger } from '../../../log.ts';
import { TextTable } from '../../../memory/text-table.ts';
import { RegistryLimitError } from '../../../registry/limits.ts';
import type { KindReport } from '../../status.ts';
import { type Fields, fields, MalformedObject, type Metadata, metadata } from '../api/objects.ts';
import type { WatchedKind } from './watched-kind.ts';

/** Losing fewer than this many objects at once needs no second list. */
const MASS_LOSS = 10;
/** Names of malformed objects that were logged; beyond, they are only counted. */
const LOGGED_ONCE = 1_000;

export class KnownObjects {
  private readonly kind: WatchedKind;
  private readonly report: KindReport;
  private readonly log: Logger;
  private readonly onAnotherHistory: () => void;
  /**
   * Keys, each with its resource version minus the first one seen, which nearly always fits 32 bits. undefined: from a
   * snapshot, or not a number.
   */
  private readonly known = new TextTable<string>((key) => key);
  private firstVersion: number | undefined;
  /** The latest of all versions seen, minus the first one as well. */
  private latest: number | undefined;
  private readonly logged = new Set<string>();
  private listed: Listed | undefined;
  private listIsOlder = false;
  /** Why the previous list did not count. */
  private doubt: 'loss' | 'age' | undefined;

  /** `onAnotherHistory`: a second list was as old as the one that did not count, so the server's history went back. */
  constructor(kind: WatchedKind, report: KindReport, log: Logger, onAnotherHistory: () => void = () => {}) {
    this.kind = kind;
    this.report = report;
    this.log = log;
    this.onAnotherHistory = onAnotherHistory;
  }

  /** An object that exists. */
  upsert(object: unknown): void {
    this.guard(object, (key, meta, raw) => this.upsertKey(key, meta, raw));
    this.report.objects(this.known.size);
  }

  /** An object that was deleted, in its last state. */
  delete(object: unknown): void {
    this.guard(object, (key, meta) => this.deleteKey(key, meta));
    this.report.objects(this.known.size);
  }

  beginList(): void {
    // A first list loses nothing.
    this.listed = this.known.size === 0 ? ALL_LISTED : new Set();
    this.listIsOlder = false;
  }

  /**
   * The objects since beginList are the complete list of this resource version: others are deleted. False: so many are
   * deleted, or the list is so old, that another one must confirm it; nothing was removed.
   */
  endList(resourceVersion: string): boolean {
    const { known, log, report } = this;
    const version = this.versionOf(resourceVersion);
    const wentBack = this.isAnotherHistory();
    const isOld = !wentBack && (!this.advanceTo(version) || this.listIsOlder);
    const lost = this.listed === ALL_LISTED ? [] : [...known.values()].filter((key) => !this.listed!.has(key));
    const left = known.size - lost.length;
    const isMassLoss = lost.length > 0 && (left === 0 || lost.length > Math.max(MASS_LOSS, known.size / 2));
    const counts = !isOld && (!isMassLoss || this.doubt !== undefined);
    if (wentBack) this.latest = version;
    this.doubt = counts ? undefined : isOld ? 'age' : 'loss';
    this.listed = undefined;
    if (counts) this.takeAway(lost);
    else if (isOld) log.warn('list is older than known data, requesting another one to confirm it');
    else
      log.warn('list lost most objects, requesting another one to confirm it', {
        known: known.size,
        lost: lost.length,
      });
    report.objects(known.size);
    if (wentBack) this.onAnotherHistory();
    return counts;
  }

  /** The server is at this resource version. False: it was at a later one before. */
  advance(resourceVersion: string): boolean {
    return this.advanceTo(this.versionOf(resourceVersion));
  }

  /** Whether known data is newer than this resource version. */
  isAhead(resourceVersion: string): boolean {
    const version = this.versionOf(resourceVersion);
    return version !== undefined && this.latest !== undefined && version < this.latest;
  }

  /** Whether this resource version is newer than everything known. */
  isBehind(resourceVersion: string): boolean {
    const version = this.versionOf(resourceVersion);
    return version !== undefined && (this.latest === undefined || version > this.latest);
  }

  /** The server's history has changed: earlier versions are meaningless. */
  forgetVersions(): void {
    for (const key of [...this.known.values()]) this.known.set(key);
    this.latest = undefined;
    if (this.doubt === 'age') this.doubt = undefined;
  }

  /** Keys known from a snapshot, to be compared with the first list. */
  restore(keys: Iterable<string>): void {
    for (const key of keys) this.known.set(key);
    this.report.objects(this.known.size);
  }

  keys(): IterableIterator<string> {
    return this.known.values();
  }

  has(key: string): boolean {
    return this.known.get(key) !== undefined;
  }

  /** Withdraws and forgets everything, because the server denies the kind. */
  abandon(): void {
    if (this.kind.abandon === undefined) return;
    this.kind.abandon(this.known.values());
    this.known.clear();
    this.report.objects(0);
  }

  /** Handles one object; an invalid object must not stop the others. */
  private guard(object: unknown, handle: (key: string, meta: Metadata, raw: Fields) => void): void {
    let name = '(no name)';
    try {
      const raw = fields(object, 'the object');
      const meta = metadata(raw);
      name = `${meta.namespace}/${meta.name}`;
      handle(this.kind.keyOf(meta.namespace, meta.name), meta, raw);
    } catch (error) {
      const { logged, report, log } = this;
      report.count(error instanceof RegistryLimitError ? 'refused' : 'malformed');
      if (logged.size >= LOGGED_ONCE || logged.has(name)) return;
      logged.add(name);
      const expected = error instanceof MalformedObject || error instanceof RegistryLimitError;
      log.warn('object left out', { object: name, reason: expected ? error.message : (error as Error).stack });
    }
  }

  private upsertKey(key: string, meta: Metadata, raw: Fields): void {
    const { known, kind, report } = this;
    this.listed?.add(key); // even if it is malformed: it exists, and its previous state stays
    const version = this.versionOf(meta.resourceVersion);
    if (!this.isAnotherHistory()) {
      const before = known.numberOf(key);
      if (isOlder(version, before)) {
        this.listIsOlder = true;
        report.count('outdated');
        return;
      }
      if (version !== undefined && before === version) return;
    }
    const problem = kind.replace(key, meta, raw);
    known.set(key, version);
    if (this.listed === undefined) this.advanceTo(version);
    if (problem !== undefined) throw problem;
  }

  private deleteKey(key: string, meta: Metadata): void {
    const version = this.versionOf(meta.resourceVersion);
    if (isOlder(version, this.known.numberOf(key))) {
      this.report.count('outdated');
      return;
    }
    if (this.listed === undefined) this.advanceTo(version);
    this.listed?.delete(key);
    if (this.known.delete(key)) this.kind.remove(key);
  }

  /** Comparable versions of one kind; undefined if the server's version is not a number. */
  private versionOf(resourceVersion: string): number | undefined {
    const version = versionNumber(resourceVersion);
    if (version === undefined) return undefined;
    this.firstVersion ??= version;
    return version - this.firstVersion;
  }

  /** A list is not compared with known versions: a second one has confirmed that the server's history is another one. */
  private isAnotherHistory(): boolean {
    return this.listed !== undefined && this.doubt === 'age';
  }

  private advanceTo(version: number | undefined): boolean {
    if (version === undefined) return true;
    if (this.latest !== undefined && version < this.latest) return false;
    this.latest = version;
    return true;
  }

  private takeAway(keys: readonly string[]): void {
    for (const key of keys) {
      this.known.delete(key);
      this.kind.remove(key);
    }
  }
}

/** Keys that a list has had. */
interface Listed {
  add(key: string): void;
  delete(key: string): void;
  has(key: string): boolean;
}

const ALL_LISTED: Listed = {
  add() {},
  delete() {},
  has: () => true,
};

const isOlder = (version: number | undefined, before: number | undefined): boolean =>
  before !== undefined && version !== undefined && version < before;

/**
 * Resource versions of one kind are comparable numbers (KEP-5504, and etcd revisions before it); an API with another store
 * may use any text.
 */
const versionNumber = (version: string): number | undefined =>
  /^[1-9]\d{0,15}$/.test(version) ? Number(version) : undefined;
