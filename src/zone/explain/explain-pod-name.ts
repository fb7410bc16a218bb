// Names that no table holds: "10-1-0-1.<namespace>.pod", of which `pods: insecure` answers the address that it spells.
import { formatIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { readPodAddress } from '../../dns/pod-address.ts';
import type { NameRecords } from '../../plane/records.ts';
import type { NameAnswer } from './answers.ts';

/** `parent`: what the name one label above has; undefined where the name spells no address, or none is answered there. */
export function podAddressAnswer(parent: NameRecords, name: WireName, isReady: boolean): NameAnswer | undefined {
  const { synthesizesPodAddresses } = parent;
  const address = new Uint8Array(16);
  const length = synthesizesPodAddresses === undefined ? 0 : readPodAddress(name, 0, address);
  if (synthesizesPodAddresses === undefined || length === 0) return undefined;
  const type = length === 4 ? 'A' : 'AAAA';
  const answered = [formatIp(address.subarray(0, length))];
  const { ttlSeconds } = synthesizesPodAddresses;
  return {
    rrsets: [{ type, ttlSeconds, outcome: 'answered', answered, leftOut: [], atMost: 0 }],
    otherwise: isReady ? 'NODATA' : 'SERVFAIL',
  };
}
