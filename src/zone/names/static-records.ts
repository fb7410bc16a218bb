// A zone's own records: those of the configuration, wildcards included, and its apex.
import type { ZoneConfig } from '../../config/config.ts';
import { isSubdomain, NameError, parseName } from '../../dns/name.ts';
import { composeRdata, RdataError } from '../../dns/rdata/rdata.ts';
import { parseType } from '../../dns/types.ts';
import type { NameRecords } from '../../plane/records.ts';
import { addApex } from './apex.ts';
import { always, answersAlways, rrsetOf } from './draft.ts';
import { createDrafts } from './drafts.ts';

/**
 * Everything in `zone` that does not come from services. The configuration has been checked, so what is left out here was
 * put together by a program; it is reported to `leftOut` and never thrown.
 */
export function staticNames(
  zone: ZoneConfig,
  nameServerAddresses: readonly string[],
  leftOut: (problem: string) => void,
): readonly NameRecords[] {
  const drafts = createDrafts();
  const apex = parseName(zone.name);
  for (const { name: text, type: mnemonic, value, ttlSeconds } of zone.records) {
    try {
      const name = parseName(text);
      const type = parseType(mnemonic);
      if (type === undefined) throw new RdataError(`"${mnemonic}" is not a record type`);
      if (!isSubdomain(name, apex)) throw new NameError(`${text} is not in the zone ${zone.name}`);
      const rrset = rrsetOf(drafts.at(name), type, answersAlways(ttlSeconds));
      rrset.records.push(always(composeRdata(type, value)));
    } catch (error) {
      if (!(error instanceof NameError || error instanceof RdataError)) throw error;
      leftOut(`record ${text} ${mnemonic}: ${error.message}`);
    }
  }
  addApex(drafts, zone, nameServerAddresses);
  return drafts.all();
}
