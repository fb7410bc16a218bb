// What crosses from the control plane to the data plane: whole names. See src/README.md, "How they meet".
import type { WireName } from '../dns/name.ts';

/** What a name answers when none of its instances may be answered. */
export type WhenAllUnhealthy = 'nodata' | 'nxdomain' | 'servfail' | 'all';

/** Slot 0 is always 1: for records that have no health (SOA, NS, ClusterIP, static). */
export const ALWAYS_ANSWERED = 0;

export interface ResourceRecord {
  /** Uncompressed rdata. */
  readonly rdata: Uint8Array;
  /** The byte that says whether the record may be answered now. */
  readonly slot: number;
  /** For `routing: weighted`; 0 is never chosen while another is alive. */
  readonly weight: number;
}

export interface RRset {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly records: readonly ResourceRecord[];
  readonly routing: 'multivalue' | 'weighted';
  /** 0 is all. */
  readonly maxAnswers: number;
  /** What is answered when every record's slot is 0. */
  readonly whenAllUnhealthy: WhenAllUnhealthy;
}

/** All that one owner name answers. No RRsets: an empty non-terminal, NODATA (RFC 8020). */
export interface NameRecords {
  readonly name: WireName;
  readonly rrsets: readonly RRset[];
  /**
   * Names one label below that are not listed answer the address the label spells: Kubernetes pod names, `pods
   * insecure`. "1-2-3-4" is A 1.2.3.4; "fd00--1" AAAA fd00::1.
   */
  readonly synthesizesPodAddresses?: { readonly ttlSeconds: number };
}

/** What the data plane must know of a zone beside its names. The apex's SOA and NS are in its NameRecords. */
export interface ZoneState {
  readonly name: WireName;
  /** False: names that are not found are SERVFAIL with EDE 14, never NXDOMAIN. */
  readonly ready: boolean;
  /** True: the data are last-known-good from a snapshot; answers carry EDE 3. */
  readonly stale: boolean;
  /** Names not found here are forwarded: '' none, else the suffixes for which this holds (root = all). */
  readonly fallthrough: readonly WireName[];
}

export type Change =
  | { readonly kind: 'replace-name'; readonly records: NameRecords }
  | { readonly kind: 'remove-name'; readonly name: WireName }
  | { readonly kind: 'replace-zone'; readonly zone: ZoneState }
  | { readonly kind: 'remove-zone'; readonly name: WireName };

/** The control plane's view of the data plane: one implementation with threads, one in-process for tests. */
export interface DataPlane {
  readonly slots: Slots;
  /** Sends changes, in order, to every data thread; resolves when each has applied them. */
  apply(changes: readonly Change[]): Promise<void>;
}

/** One byte an instance in shared memory; written by the control plane, read by every data thread on each answer. */
export interface Slots {
  /** A free slot, set to 0. Throws RangeError when all are taken. */
  allocate(): number;
  set(slot: number, answered: boolean): void;
  get(slot: number): boolean;
  /** Gives a slot back once `dropped` (the promise of the change that dropped its last record) has resolved. */
  release(slot: number, dropped: Promise<void>): void;
}
