// Nodes whose content may differ → the changes that make the data plane say what they say now.
import type { Change, NameRecords } from '../../plane/records.ts';
import { type Claim, mergeClaims } from './merge.ts';
import { compareOwners, type Owner, type Owners } from './owner.ts';
import type { Ownership } from './ownership.ts';
import { type NameTree, type Node, ROOT_NODE } from './tree.ts';

/** What the owners of the nodes say: compiled in this pass, or on demand. */
export type RecordsOf = (owner: Owner, node: Node) => NameRecords | undefined;

export interface Settler {
  /** Settles `touched`; the apexes of the zones in which something changed are added to `changedZones`. */
  settle(touched: ReadonlySet<Node>, recordsOf: RecordsOf, changedZones: Set<Node>): Change[];
  /** What a node answers; undefined when its name does not exist. */
  contentOf(node: Node, recordsOf: RecordsOf): NameRecords | undefined;
  claimsOf(node: Node, recordsOf: RecordsOf): Claim[];
  /** The apex of the zone that a node is in. */
  apexOf(node: Node): Node | undefined;
  isSent(node: Node): boolean;
}

export function createSettler(
  tree: NameTree,
  ownership: Ownership,
  owners: Owners,
  apexes: ReadonlySet<Node>,
): Settler {
  /** One bit a node: the data plane has the name. */
  let sent = new Uint8Array(8);

  function markSent(node: Node, isSent: boolean): void {
    const at = node >> 3;
    if (at >= sent.length) {
      const larger = new Uint8Array(Math.ceil((at + 1) * 1.5));
      larger.set(sent);
      sent = larger;
    }
    if (isSent) sent[at] |= 1 << (node & 7);
    else sent[at] &= ~(1 << (node & 7));
  }

  const isSent = (node: Node): boolean => ((sent[node >> 3] ?? 0) & (1 << (node & 7))) !== 0;

  function apexOf(node: Node): Node | undefined {
    for (let at = node; at > 0; at = tree.parentOf(at)) if (apexes.has(at)) return at;
    return undefined;
  }

  function claimsOf(node: Node, recordsOf: RecordsOf): Claim[] {
    const claims: Claim[] = [];
    for (const number of ownership.of(node)) {
      const owner = owners.ofNumber(number);
      const records = recordsOf(owner, node);
      if (records !== undefined) claims.push({ owner, records });
    }
    return claims.length < 2 ? claims : claims.sort((a, b) => compareOwners(a.owner, b.owner));
  }

  function contentOf(node: Node, recordsOf: RecordsOf): NameRecords | undefined {
    // Also of a name that is in no zone now: its owners learn that it was not sent, should the zone be back at their turn.
    const claims = claimsOf(node, recordsOf);
    if (apexOf(node) === undefined) return undefined;
    if (claims.length > 0) return mergeClaims(claims);
    // RFC 8020, RFC 4592 section 2.2.2: what has names below it exists.
    return tree.childCount(node) > 0 ? { name: tree.nameOf(node), rrsets: [] } : undefined;
  }

  /** Removes the node, if nothing holds it any more, and those above that only existed for it. */
  function prune(node: Node, changes: Change[], changedZones: Set<Node>): boolean {
    let pruned = false;
    for (let at = node; isIdle(at); ) {
      pruned = true;
      if (isSent(at)) {
        changes.push({ kind: 'remove-name', name: tree.nameOf(at) });
        markSent(at, false);
        const apex = apexOf(at);
        if (apex !== undefined) changedZones.add(apex);
      }
      at = tree.remove(at);
    }
    return pruned;
  }

  const isIdle = (node: Node): boolean =>
    node !== ROOT_NODE && tree.childCount(node) === 0 && !ownership.isOwned(node) && !apexes.has(node);

  return {
    settle(touched, recordsOf, changedZones) {
      const changes: Change[] = [];
      for (const node of touched) {
        if (!tree.isAlive(node) || prune(node, changes, changedZones)) continue;
        const content = contentOf(node, recordsOf);
        if (content !== undefined) changes.push({ kind: 'replace-name', records: content });
        else if (isSent(node)) changes.push({ kind: 'remove-name', name: tree.nameOf(node) });
        else continue;
        markSent(node, content !== undefined);
        const apex = apexOf(node);
        if (apex !== undefined) changedZones.add(apex);
      }
      return changes;
    },
    contentOf,
    claimsOf,
    apexOf,
    isSent,
  };
}
