// The data sent from the control plane to the data plane: whole names, and parts of large ones. See src/README.md, "How they meet".
import type { WireName } from '../dns/name.ts';

/** The answer if none of a name's instances may be answered. */
export type WhenAllUnhealthy = 'nodata' | 'nxdomain' | 'servfail' | 'all';

/** Slot 0 is always 1: for records that have no health (SOA, NS, ClusterIP, static). */
export const ALWAYS_ANSWERED = 0;

export interface ResourceRecord {
  /** Uncompressed rdata. */
  readonly rdata: Uint8Array;
  /** The byte that determines whether the record may be answered. */
  readonly slot: number;
  /** For `routing: weighted`; 0 is never selected while another record is healthy. */
  readonly weight: number;
}

export interface RRset {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly records: readonly ResourceRecord[];
  readonly routing: 'multivalue' | 'weighted';
  /** 0 is all. */
  readonly maxAnswers: number;
  /** The answer if the slot of every record is 0. */
  readonly whenAllUnhealthy: WhenAllUnhealthy;
}

/** All RRsets of one owner name. None: an empty non-terminal, NODATA (RFC 8020). */
export interface NameRecords {
  readonly name: WireName;
  readonly rrsets: readonly RRset[];
  /**
   * Unlisted names one label below resolve to the address in the label: Kubernetes pod names, "1-2-3-4" as A 1.2.3.4,
   * "fd00--1" as AAAA fd00::1. All of them (`pods: insecure`), or if `isVerified` those added by a `pod-name` change.
   */
  readonly synthesizesPodAddresses?: { readonly ttlSeconds: number; readonly isVerified?: boolean };
}

/**
 * The records that some of a large service's instances have at a name: they are replaced alone, and the name has the records of all
 * its parts. No two parts of a name have equal rdata. Without RRsets: the part is gone.
 */
export interface NamePart {
  /** Unique within the name. */
  readonly part: number;
  readonly rrsets: readonly RRset[];
}

/** The data of a zone besides its names. SOA and NS are in the NameRecords of the apex. */
export interface ZoneState {
  readonly name: WireName;
  /** False: unknown names are SERVFAIL with EDE 14, never NXDOMAIN. */
  readonly ready: boolean;
  /** True: the data are from a snapshot; answers carry EDE 3. */
  readonly stale: boolean;
  /** True: only some of its names are held; all others are forwarded (a node's cache). */
  readonly partial?: boolean;
  /** Suffixes of unknown names that are forwarded (root: all). */
  readonly fallthrough: readonly WireName[];
  /** Why it is not ready, or stale: the text of the extended error; ASCII. */
  readonly why?: string;
}

export type Change =
  | { readonly kind: 'replace-name'; readonly records: NameRecords }
  /** `isWhole`: the name has no other parts, and is no longer what it was before. */
  | {
      readonly kind: 'replace-parts';
      readonly name: WireName;
      readonly isWhole: boolean;
      readonly parts: readonly NamePart[];
    }
  /** Many names without health: see packed-names.ts. */
  | { readonly kind: 'replace-names'; readonly packed: Uint8Array }
  | { readonly kind: 'remove-name'; readonly name: WireName }
  | { readonly kind: 'replace-zone'; readonly zone: ZoneState }
  | { readonly kind: 'remove-zone'; readonly name: WireName }
  /** Of the names below one that has `synthesizesPodAddresses`. */
  | { readonly kind: 'pod-name'; readonly name: WireName; readonly exists: boolean }
  /** Why the instance of a slot is not answered; ASCII. Empty: it is, or the slot is no longer its own. */
  | { readonly kind: 'replace-reason'; readonly slot: number; readonly text: string };

/** The control plane's view of the data plane: one implementation with threads, one in-process for tests. */
export interface DataPlane {
  readonly slots: Slots;
  /** Sends changes, in order, to every data thread; resolves when each has applied them. */
  apply(changes: readonly Change[]): Promise<void>;
}

/** One byte per instance in shared memory; written by the control plane, read by every data thread for each answer. */
export interface Slots {
  /** A free slot, set to 0. Throws RangeError if all are in use. */
  allocate(): number;
  set(slot: number, answered: boolean): void;
  get(slot: number): boolean;
  /** Releases a slot once `dropped` (the promise of the change that dropped its last record) has resolved. */
  release(slot: number, dropped: Promise<void>): void;
}
