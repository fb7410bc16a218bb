// Everything that is published, for a data thread that begins empty: the names that were sent, with their content as it is
// now. Much may be sent between two of these changes, since a thread takes one message at a time. It receives that as well,
// and nothing older may follow, or it would answer with an instance that is gone.
import { grown, growth } from '../../memory/runs.ts';
import type { Change, NameRecords } from '../../plane/records.ts';
import { CurrentNames, type Publication } from './publication.ts';
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
  const { tree, owners, claims } = publication;
  for (const entry of sentZones(table)) {
    yield { kind: 'replace-zone', zone: zoneState(entry, { ready: false, stale: false }) };
  }
  const given = new NodeSet();
  for (const owner of [...owners.all()]) {
    const contentOf = contentAsSent(publication);
    // A copy: what is claimed later is sent to every thread.
    for (const node of claims.nodesOf(owner).slice()) {
      if (claims.ownersOf(node).length > 1) continue;
      given.add(node);
      const records = contentOf(node);
      if (records !== undefined) yield { kind: 'replace-name', records };
    }
  }
  // Names of several owners, of none, and those that went from an owner to an earlier one meanwhile.
  const contentOf = contentAsSent(publication);
  for (const node of tree.nodes()) {
    if (given.has(node)) continue;
    const records = contentOf(node);
    if (records !== undefined) yield { kind: 'replace-name', records };
  }
  for (const { sent } of sentZones(table)) if (sent) yield { kind: 'replace-zone', zone: sent };
}

/** Zones of a new configuration are sent to every thread; removed ones must not come back. */
function* sentZones(table: () => ReadonlyMap<string, ZoneEntry>): Generator<ZoneEntry> {
  for (const name of [...table().keys()]) {
    const entry = table().get(name);
    if (entry?.sent !== undefined) yield entry;
  }
}

/** The current content of a sent name. Data compiled before a pass is not used after it. */
function contentAsSent(publication: Publication): (node: Node) => NameRecords | undefined {
  let { passes } = publication;
  let current = new CurrentNames(publication);
  return (node) => {
    if (!publication.isSent(node)) return undefined;
    if (publication.passes !== passes) {
      passes = publication.passes;
      current = new CurrentNames(publication);
    }
    const content = publication.contentAt(node, current);
    publication.noteSentToOne(node, content);
    return content?.records;
  };
}

/** A byte for each node: a set of a million numbers would take 40 MB. */
class NodeSet {
  private bytes = new Uint8Array(1024);

  add(node: Node): void {
    if (node >= this.bytes.length) this.bytes = grown(this.bytes, growth(node + 1));
    this.bytes[node] = 1;
  }

  has(node: Node): boolean {
    return this.bytes[node] === 1;
  }
}
