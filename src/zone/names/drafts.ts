// The names of a zone's own records, while they are being put together: drafts by name.
import type { WireName } from '../../dns/name.ts';
import type { NameDraft } from './draft.ts';

export interface Drafts {
  /** The draft of a name: the same one for equal names. A draft without RRsets says that the name exists. */
  at(name: WireName): NameDraft;
  all(): NameDraft[];
}

export function createDrafts(): Drafts {
  const byName = new Map<string, NameDraft>();
  return {
    at(name) {
      const key = Buffer.from(name).toString('latin1');
      const known = byName.get(key);
      if (known !== undefined) return known;
      const draft: NameDraft = { name, rrsets: [] };
      byName.set(key, draft);
      return draft;
    },
    all: () => [...byName.values()],
  };
}
