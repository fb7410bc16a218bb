// Our OPT record (RFC 6891 section 6.1.2), with at most an extended error (RFC 8914).
import { writeUint16 } from '../dns/header.ts';
import { OPTION, TYPE } from '../dns/types.ts';

export const NO_EDE = -1;
/** What is kept free at the end of every response to a query with EDNS. */
export const OPT_ROOM = 11 + 6;

/** Writes it at `at` and gives the place after it. DO is repeated (RFC 3225 section 3); no option of the query is. */
export function writeOpt(
  out: Uint8Array,
  at: number,
  udpBytes: number,
  rcode: number,
  dnssecOk: boolean,
  ede: number,
): number {
  out[at] = 0;
  writeUint16(out, at + 1, TYPE.OPT);
  writeUint16(out, at + 3, udpBytes);
  out[at + 5] = rcode >>> 4;
  out[at + 6] = 0;
  writeUint16(out, at + 7, dnssecOk ? 0x8000 : 0);
  writeUint16(out, at + 9, ede === NO_EDE ? 0 : 6);
  if (ede === NO_EDE) return at + 11;
  writeUint16(out, at + 11, OPTION.EDE);
  writeUint16(out, at + 13, 2);
  writeUint16(out, at + 15, ede);
  return at + 17;
}
