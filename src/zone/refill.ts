// Everything that is published, for a data thread that begins empty. The same names as were sent, with what they say now.
import type { Change } from '../plane/records.ts';
import { NUMBERS_PER_CLAIM } from './claims.ts';
import type { Publication } from './publication.ts';
import type { Node } from './tree.ts';
import { type ZoneEntry, zoneState } from './zone-table.ts';

/** Zones first and not ready, then names, then the zones as they are: as at the start. One owner is compiled at a time. */
export function* refillChanges(publication: Publication, table: ReadonlyMap<string, ZoneEntry>): Generator<Change> {
  const { tree, owners, claims, ownership, settler } = publication;
  for (const entry of table.values()) {
    if (entry.sent) yield { kind: 'replace-zone', zone: zoneState(entry, { ready: false, stale: false }) };
  }
  const shared: Node[] = [];
  for (const owner of [...owners.all()]) {
    const recordsOf = publication.recordsOnDemand();
    for (let at = 0; at < claims.of(owner).length; at += NUMBERS_PER_CLAIM) {
      const node = claims.of(owner)[at];
      if (ownership.of(node).length > 1) {
        if (ownership.of(node)[0] === owner.number) shared.push(node);
        continue;
      }
      const records = settler.isSent(node) ? settler.contentOf(node, recordsOf) : undefined;
      if (records !== undefined) yield { kind: 'replace-name', records };
    }
  }
  const recordsOf = publication.recordsOnDemand();
  for (const node of shared) {
    const records = settler.isSent(node) ? settler.contentOf(node, recordsOf) : undefined;
    if (records !== undefined) yield { kind: 'replace-name', records };
  }
  for (const node of tree.nodes()) {
    if (ownership.isOwned(node) || !settler.isSent(node)) continue;
    yield { kind: 'replace-name', records: { name: tree.nameOf(node), rrsets: [] } };
  }
  for (const entry of table.values()) if (entry.sent) yield { kind: 'replace-zone', zone: entry.sent };
}
