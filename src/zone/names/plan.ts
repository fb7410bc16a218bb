// What a service will publish, not yet built: most of it was sent before and has not changed.
import type { WireName } from '../../dns/name.ts';
import type { NameRecords } from '../../plane/records.ts';
import {
  addFingerprint,
  addNumber,
  addText,
  begin,
  type Fingerprint,
  fingerprintOf,
  highHalf,
  lowHalf,
} from '../publish/fingerprint.ts';
import type { NameDraft } from './draft.ts';

/** One name. Equal fingerprints of one owner mean the same name with the same records. */
export interface NamePlan extends Fingerprint {
  /** The place, among the owner's bases, of the one that it is at or below; NO_BASE for reverse names. */
  readonly base: number;
  readonly isBase: boolean;
  readonly name: () => WireName;
  readonly fill: (draft: NameDraft) => void;
}

export const NO_BASE = -1;

/** What a name's fingerprint is made with; kinds of names must not be mistaken for each other. */
export const PLAN = { BASE: 1, PORT: 2, INSTANCE: 3, REVERSE: 4, POD: 5, PODS: 6 } as const;

type Naming = Pick<NamePlan, 'base' | 'isBase' | 'name' | 'fill'>;

/** A name's plan. `label` and `parts` (endpoints, say) are, with its kind, base and service, all that it is made of. */
export function plan(
  kind: number,
  service: Fingerprint,
  label: string,
  parts: readonly Fingerprint[],
  { base, isBase, name, fill }: Naming,
): NamePlan {
  begin(kind);
  addFingerprint(service);
  addNumber(base);
  addText(label);
  for (const part of parts) addFingerprint(part);
  return { low: lowHalf(), high: highHalf(), base, isBase, name, fill };
}

export function buildName(plan: NamePlan): NameRecords {
  const draft: NameDraft = { name: plan.name(), rrsets: [] };
  plan.fill(draft);
  return draft;
}

/** Records that are built already, as a plan. */
export function plannedRecords(records: NameRecords): NamePlan {
  return {
    ...fingerprintOf(records),
    base: NO_BASE,
    isBase: false,
    name: () => records.name,
    fill: (draft) =>
      void draft.rrsets.push(...records.rrsets.map((rrset) => ({ ...rrset, records: [...rrset.records] }))),
  };
}
