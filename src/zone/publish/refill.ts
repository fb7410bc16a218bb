// Everything that is published, for a data thread that begins empty. The same names as were sent, with what they say now.
// Much may be sent between two of these changes, since a thread takes a message at a time: it hears of that as well, and
// nothing older may come after it, or it would answer with an instance that is gone.
import type { Change, NameRecords } from '../../plane/records.ts';
import { type Claims, NUMBERS_PER_CLAIM } from './claims.ts';
import type { Owner } from './owner.ts';
import type { Publication } from './publication.ts';
import type { RecordsOf } from './settle.ts';
import type { Node } from './tree.ts';
import { type ZoneEntry, zoneState } from './zone-table.ts';

/**
 * Zones first and not ready, then names, then the zones as they are: as at the start. One owner is compiled at a time.
 * `table`: the zones as they are when it is asked.
 */
export function* refillChanges(
  publication: Publication,
  table: () => ReadonlyMap<string, ZoneEntry>,
): Generator<Change> {
  const { tree, owners, claims, ownership, settler } = publication;
  for (const entry of sentZones(table)) {
    yield { kind: 'replace-zone', zone: zoneState(entry, { ready: false, stale: false }) };
  }
  const shared: Node[] = [];
  for (const owner of [...owners.all()]) {
    const contentOf = contentAsSent(publication);
    for (const node of nodesOf(owner, claims)) {
      const claimants = ownership.of(node);
      if (claimants.length > 1) {
        if (claimants[0] === owner.number) shared.push(node);
        continue;
      }
      const records = contentOf(node);
      if (records !== undefined) yield { kind: 'replace-name', records };
    }
  }
  const contentOf = contentAsSent(publication);
  for (const node of shared) {
    const records = contentOf(node);
    if (records !== undefined) yield { kind: 'replace-name', records };
  }
  for (const node of tree.nodes()) {
    if (ownership.isOwned(node) || !settler.isSent(node)) continue;
    yield { kind: 'replace-name', records: { name: tree.nameOf(node), rrsets: [] } };
  }
  for (const { sent } of sentZones(table)) if (sent) yield { kind: 'replace-zone', zone: sent };
}

/** Those of a new configuration are sent to every thread; those that are gone must not come back. */
function* sentZones(table: () => ReadonlyMap<string, ZoneEntry>): Generator<ZoneEntry> {
  for (const name of [...table().keys()]) {
    const entry = table().get(name);
    if (entry?.sent !== undefined) yield entry;
  }
}

/** Those that are claimed now. What is claimed later is sent to every thread, so none may be missed as claims move up. */
function nodesOf(owner: Owner, claims: Claims): Node[] {
  const nodes: Node[] = [];
  const numbers = claims.of(owner);
  for (let at = 0; at < numbers.length; at += NUMBERS_PER_CLAIM) nodes.push(numbers[at]);
  return nodes;
}

/** What a name that was sent says. What was compiled before a pass is not looked at after it. */
function contentAsSent(publication: Publication): (node: Node) => NameRecords | undefined {
  const { settler } = publication;
  let passes = publication.passes();
  let recordsOf: RecordsOf = publication.recordsOnDemand();
  return (node) => {
    if (!settler.isSent(node)) return undefined;
    if (publication.passes() !== passes) {
      passes = publication.passes();
      recordsOf = publication.recordsOnDemand();
    }
    return settler.contentOf(node, recordsOf);
  };
}
