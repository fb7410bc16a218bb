// Our OPT record (RFC 6891 section 6.1.2), with an extended error (RFC 8914) and, over TCP, how long a connection may be idle
// (RFC 7828).
import { EDNS_DO, OPTION, TYPE } from '../../dns/types.ts';

export const NO_EDE = -1;
/** What is kept free at the end of every response to a query with EDNS. */
export const OPT_BYTES = 11;
/** With an extended error, which is left out where there is no room for it: no answer is cut for its sake. */
export const OPT_BYTES_WITH_EDE = OPT_BYTES + 6;
export const KEEPALIVE_BYTES = 6;

/** Adds the option edns-tcp-keepalive to the OPT record that was just written and ends at `at`: the place after it. */
export function writeKeepalive(view: DataView, at: number, optAt: number, idleMs: number): number {
  view.setUint16(optAt + 9, view.getUint16(optAt + 9) + 6);
  view.setUint16(at, OPTION.TCP_KEEPALIVE);
  view.setUint16(at + 2, 2);
  view.setUint16(at + 4, Math.min(0xffff, Math.floor(idleMs / 100)));
  return at + KEEPALIVE_BYTES;
}

/** Writes it at `at` and gives the place after it. DO is repeated (RFC 3225 section 3); no option of the query is. */
export function writeOpt(
  view: DataView,
  at: number,
  udpBytes: number,
  rcode: number,
  dnssecOk: boolean,
  ede: number,
): number {
  view.setInt32(at, (TYPE.OPT << 8) | (udpBytes >>> 8)); // the root's byte, the type, half the size
  view.setInt32(at + 4, (udpBytes << 24) | ((rcode >>> 4) << 16) | (dnssecOk ? EDNS_DO >>> 8 : 0));
  view.setInt32(at + 8, ede === NO_EDE ? 0 : 6 << 8);
  if (ede === NO_EDE) return at + OPT_BYTES;
  view.setUint16(at + 11, OPTION.EDE);
  view.setUint16(at + 13, 2);
  view.setUint16(at + 15, ede);
  return at + OPT_BYTES_WITH_EDE;
}
