// zones.yaml while it is built from a Corefile, and the report on each of its lines.
import { parseIp } from '../dns/ip.ts';
import { reverseName } from '../dns/name.ts';
import type { Directive, Position } from './corefile.ts';

/** same: answers as before; changed: works, but differs in what `text` says; dropped: has no equivalent. */
export type Outcome = 'same' | 'changed' | 'dropped';

export interface Finding {
  readonly at: Position;
  /** The directive or option as written. */
  readonly directive: string;
  readonly outcome: Outcome;
  /** Its translation, how answers differ, and what to do. */
  readonly text: string;
  /** Ids of docs/differences-from-coredns.md. */
  readonly differences: readonly string[];
}

/** The translation of one server block: keys of zones.yaml with their values. */
export interface Draft extends SharedDraft {
  /** Addresses that the block answers at. */
  readonly listen: Set<string>;
  /** The name that the plugin `view` gives it. */
  view?: string;
  /** Networks of clients that it answers; empty: all. */
  readonly clients: string[];
  /** Where zone files are. */
  root?: string;
  /** Names of `zones` that it fills. */
  readonly zoneNames: Set<string>;
  /** Without `zone`: for the zones of the block. */
  readonly forward: Record<string, unknown>[];
  /** undefined: the block caches nothing. */
  cache: Record<string, unknown> | undefined;
  readonly hosts: {
    files: string[];
    entries: { address: string; names: string[] }[];
    settings: Record<string, unknown>;
  };
  readonly templates: Record<string, unknown>[];
  readonly acl: Record<string, unknown>[];
  readonly rewrite: Record<string, unknown>[];
  /** Single values: dns64, autopath, queryLog, loopDetection, nsid. */
  readonly single: Record<string, unknown>;
  /** dns64 for clients over IPv6 only. */
  isDns64ForIpv6: boolean;
  /** Key of zones.yaml → lines that explain where it comes from. */
  readonly comments: Map<string, string[]>;
}

/** Keys that all blocks fill together. */
export interface SharedDraft {
  readonly include: Set<string>;
  readonly http: Set<string>;
  /** Empty unless CoreDNS's metrics are wanted. */
  readonly metrics: { metrics?: 'coredns' };
  readonly server: Record<string, unknown>;
  readonly limits: Record<string, unknown>;
  readonly zones: Map<string, Record<string, unknown>>;
}

/** The server block that a directive stands in. */
export interface BlockContext {
  /** Lower case, absolute: "." or "example.org.". */
  readonly zones: readonly string[];
  readonly ports: readonly number[];
  readonly draft: Draft;
  /** Records the translation of a directive or of one of its options. */
  note(directive: Directive, outcome: Outcome, text: string, ...differences: string[]): void;
  /** Explains in zones.yaml where the key `key` comes from. */
  comment(key: string, directive: Directive): void;
}

export function emptySharedDraft(): SharedDraft {
  return { include: new Set(), http: new Set(), metrics: {}, server: {}, limits: {}, zones: new Map() };
}

export function emptyDraft(shared: SharedDraft): Draft {
  return {
    ...shared,
    listen: new Set(),
    clients: [],
    zoneNames: new Set(),
    forward: [],
    cache: undefined,
    hosts: { files: [], entries: [], settings: {} },
    templates: [],
    acl: [],
    rewrite: [],
    single: {},
    isDns64ForIpv6: false,
    comments: new Map(),
  };
}

/** The directive as one line, without what is inside its braces. */
export function written({ name, args }: Pick<Directive, 'name' | 'args'>): string {
  return [name, ...args.map((arg) => (/[\s"{}#]|^$/.test(arg) ? JSON.stringify(arg) : arg))].join(' ');
}

/** "30", "30s", "1h30m" → seconds, as CoreDNS reads durations; undefined: not one. */
export function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined;
  const units: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit], 0);
}

const NETWORK = /^([0-9a-f.:]+)\/(\d{1,3})$/i;

/** "Example.org" → the absolute lower-case name of the zone, as CoreDNS normalizes it. Networks stay, and so do {$NAME}. */
export function zoneName(text: string): string {
  const name = text.replaceAll(/\{[$%]\w+%?\}|[^{]+|\{/g, (part) => (/^\{[$%]/.test(part) ? part : part.toLowerCase()));
  return NETWORK.test(text) || name.endsWith('.') ? name : `${name}.`;
}

/** As zoneName, but a network is its reverse zones: "10.0.0.0/23" → 0.0.10.in-addr.arpa. and 1.0.10.in-addr.arpa. */
export function zoneNames(text: string): string[] {
  const [, address, bits] = NETWORK.exec(text) ?? [];
  const ip = address === undefined ? undefined : parseIp(address);
  return ip === undefined || Number(bits) > ip.length * 8 ? [zoneName(text)] : reverseZones(address, Number(bits));
}

/** Labels are bytes of IPv4 addresses, and half bytes of IPv6 addresses; a network that ends within a label has several zones. */
function reverseZones(address: string, bits: number): string[] {
  const labels = reverseName(address).split('.');
  const [unit, radix] = labels.at(-3) === 'in-addr' ? [8, 10] : [4, 16];
  const whole = Math.ceil(bits / unit);
  const [first, ...parents] = labels.slice(labels.length - 3 - whole);
  const count = 2 ** (whole * unit - bits);
  if (count === 1) return [[first, ...parents].join('.')];
  const lowest = Number.parseInt(first, radix) & -count;
  return Array.from({ length: count }, (_, i) => [(lowest + i).toString(radix), ...parents].join('.'));
}
