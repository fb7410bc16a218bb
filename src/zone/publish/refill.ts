// Everything that is published, for a data thread that begins empty: the names that were sent, with their content as it is
// now. Much may be sent between two of these changes, since a thread takes one message at a time. It receives that as well,
// and nothing older may follow, or it would answer with an instance that is gone.
import { grown, growth } from '../../memory/runs.ts';
import type { Change } from '../../plane/records.ts';
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
    const asSent = new AsSent(publication);
    // A copy: what is claimed later is sent to every thread.
    for (const node of claims.nodesOf(owner).slice()) {
      if (publication.isInParts(node)) {
        given.add(node);
        yield* asSent.part(node, owner.number);
        continue;
      }
      if (claims.ownersOf(node).length > 1) continue;
      given.add(node);
      yield* asSent.name(node);
    }
  }
  // Names of several owners, of none, and those that went from an owner to an earlier one meanwhile.
  const asSent = new AsSent(publication);
  for (const node of tree.nodes()) {
    if (given.has(node)) continue;
    if (!publication.isInParts(node)) yield* asSent.name(node);
    else for (const number of [...claims.ownersOf(node)]) yield* asSent.part(node, number);
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

/** The current content of sent names. Data compiled before a pass is not used after it. */
class AsSent {
  private readonly publication: Publication;
  private passes: number;
  private current: CurrentNames;

  constructor(publication: Publication) {
    this.publication = publication;
    this.passes = publication.passes;
    this.current = new CurrentNames(publication);
  }

  *name(node: Node): Generator<Change> {
    const { publication } = this;
    if (!publication.isSent(node)) return;
    const content = publication.contentAt(node, this.names());
    publication.noteSentToOne(node, content);
    if (content !== undefined) yield { kind: 'replace-name', records: content.records };
  }

  /** The records of a part at a name. */
  *part(node: Node, number: number): Generator<Change> {
    const { publication } = this;
    if (!publication.isSent(node) || !publication.claims.ownersOf(node).includes(number)) return;
    const owner = publication.owners.ofNumber(number);
    const name = this.names().at(owner, node);
    publication.notePartSentToOne(node, owner, name?.hash);
    if (name === undefined) return;
    const { rrsets } = name.records;
    yield { kind: 'replace-parts', name: name.records.name, isWhole: false, parts: [{ part: owner.number, rrsets }] };
  }

  private names(): CurrentNames {
    if (this.publication.passes !== this.passes) {
      this.passes = this.publication.passes;
      this.current = new CurrentNames(this.publication);
    }
    return this.current;
  }
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
