// How a query ends. RCODE and extended error follow from the outcome.
import { EDE, RCODE } from '../../dns/types.ts';

export const OUTCOME = {
  /** There is an RRset that answers. */
  HIT: 0,
  /** The name exists, the type does not (RFC 2308 section 2.2). */
  NODATA: 1,
  NXDOMAIN: 2,
  /** The name is below a zone cut. */
  REFERRAL: 3,
  /** The name is in none of our zones: forward the query. */
  OUTSIDE: 4,
  /** Not found, but the zone is incomplete, so neither NODATA nor NXDOMAIN is known. */
  NOT_READY: 5,
  /** There is a CNAME to follow. */
  ALIAS: 6,
  /** An alias leads out of the own zones: its target and the RCODE are resolved elsewhere. */
  TARGET: 7,
  /** The first label spells the address that answers. */
  POD_ADDRESS: 8,
  /** None of the records may be answered now, and `whenAllUnhealthy` is `servfail`. */
  UNREACHABLE: 9,
  /** Not ours, and not forwarded. */
  REFUSED: 10,
  /** A zone transfer. */
  PROHIBITED: 11,
  BAD_VERSION: 12,
  /** The name is below a DNAME (RFC 6672). */
  DNAME: 13,
  /** The name that a DNAME leads to is too long. */
  TOO_LONG: 14,
  /** The zone does not have the name, which falls through to where external names are resolved. */
  FALLTHROUGH: 15,
} as const;

export const RCODE_OF = new Uint8Array(16);
RCODE_OF[OUTCOME.NXDOMAIN] = RCODE.NXDOMAIN;
RCODE_OF[OUTCOME.NOT_READY] = RCODE.SERVFAIL;
RCODE_OF[OUTCOME.UNREACHABLE] = RCODE.SERVFAIL;
RCODE_OF[OUTCOME.REFUSED] = RCODE.REFUSED;
RCODE_OF[OUTCOME.PROHIBITED] = RCODE.REFUSED;
RCODE_OF[OUTCOME.BAD_VERSION] = RCODE.BADVERS;
RCODE_OF[OUTCOME.TOO_LONG] = RCODE.YXDOMAIN;

/** INFO-CODEs of RFC 8914; -1: none. */
export const EDE_OF = new Int8Array(16).fill(-1);
EDE_OF[OUTCOME.NOT_READY] = EDE.NOT_READY;
EDE_OF[OUTCOME.UNREACHABLE] = EDE.NO_REACHABLE_AUTHORITY;
EDE_OF[OUTCOME.REFUSED] = EDE.NOT_AUTHORITATIVE;
EDE_OF[OUTCOME.PROHIBITED] = EDE.PROHIBITED;
