// The names of pods (`pods: verified`). No owner claims them: a name exists while some pod of its namespace has the address.
import type { Random } from '../../clock.ts';
import { parseName, sameName, type WireName } from '../../dns/name.ts';
import { hashName } from '../../dns/name-hash.ts';
import { keyOfName, PodNames } from '../../plane/pod-names.ts';
import type { Change } from '../../plane/records.ts';
import type { PodAddress } from '../../registry/pod-addresses.ts';
import { KUBERNETES_SERVICE } from '../../registry/reference.ts';
import { podName, podsName } from '../names/pod-names.ts';

/** The name that the pods of a namespace have theirs below, and its zone's. */
interface Below {
  readonly name: WireName;
  readonly zone: WireName;
}

export class PodPublication {
  private readonly seed: number;
  /** A name that two pods have is there twice. */
  private readonly names = new PodNames();
  private readonly namespaces = new Map<string, Below | undefined>();
  private changes: Change[] = [];
  private zones = new Set<WireName>();

  constructor(random: Random) {
    this.seed = Math.floor(random() * 0xffff_ffff) | 0;
  }

  /** How many there are; one that two pods have counts twice. */
  get size(): number {
    return this.names.size;
  }

  get bytes(): number {
    return this.names.bytes;
  }

  /** The subjects of the pods that have this name. */
  named(name: WireName, addresses: Iterable<PodAddress>): string[] {
    const key = keyOfName(name);
    if (key < 0 || !this.names.hasKey(hashName(name, this.seed), key)) return [];
    const subjects: string[] = [];
    for (const { subject, namespaceKey, address } of addresses) {
      const own = this.nameOf(namespaceKey, address);
      if (own !== undefined && sameName(own, name)) subjects.push(subject);
    }
    return subjects;
  }

  /** One more pod of the namespace has the address, or one fewer. Returns whether there is a change to take. */
  change(namespaceKey: string, address: string, isGained: boolean): boolean {
    const name = this.nameOf(namespaceKey, address);
    if (name === undefined) return false;
    const { names } = this;
    const [hash, key] = [hashName(name, this.seed), keyOfName(name)];
    const isFirst = isGained && !names.hasKey(hash, key);
    if (isGained) names.add(hash, key);
    else names.remove(hash, key);
    if (!isFirst && names.hasKey(hash, key)) return false;
    this.changes.push({ kind: 'pod-name', name, exists: isGained });
    this.zones.add(this.below(namespaceKey)!.zone);
    return true;
  }

  /** Changes since the last call, and their zones. */
  take(): { readonly changes: readonly Change[]; readonly zones: ReadonlySet<WireName> } {
    const { changes, zones } = this;
    this.changes = [];
    this.zones = new Set();
    return { changes, zones };
  }

  /** For a data thread that begins empty. */
  *refill(addresses: Iterable<PodAddress>): Generator<Change> {
    for (const { namespaceKey, address } of addresses) {
      const name = this.nameOf(namespaceKey, address);
      if (name !== undefined) yield { kind: 'pod-name', name, exists: true };
    }
  }

  private nameOf(namespaceKey: string, address: string): WireName | undefined {
    const below = this.below(namespaceKey);
    return below && podName(address, below.name);
  }

  private below(namespaceKey: string): Below | undefined {
    if (!this.namespaces.has(namespaceKey)) this.namespaces.set(namespaceKey, belowOf(namespaceKey));
    return this.namespaces.get(namespaceKey);
  }
}

/** undefined: it cannot be expressed in DNS, which the namespace reports. */
function belowOf(namespaceKey: string): Below | undefined {
  const parts = KUBERNETES_SERVICE.parse(namespaceKey);
  if (parts === undefined) return undefined;
  const zone = parseName(parts.zone);
  const name = podsName(parts, zone, () => {});
  return name && { name, zone };
}
