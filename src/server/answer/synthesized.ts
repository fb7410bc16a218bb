// Records that no table holds: they follow from the question.
import { TYPE } from '../../dns/types.ts';
import type { Found } from '../table/lookup.ts';
import { addAnswer, type Reply } from './reply.ts';

/** RFC 8482 section 4.2: CPU "RFC8482", OS "". */
const HINFO_RDATA = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0);
const HINFO_TTL_SECONDS = 3600;

/** The answer to ANY: constant, small, and it says nothing of who is alive. */
export function addHinfo(view: DataView, reply: Reply, owner: number): void {
  addAnswer(view, reply, owner, TYPE.HINFO, HINFO_TTL_SECONDS, HINFO_RDATA, HINFO_RDATA.length);
}

/** The address that a pod's name spells. */
export function addPodAddress(view: DataView, reply: Reply, owner: number, found: Found): void {
  const type = found.addressLength === 4 ? TYPE.A : TYPE.AAAA;
  addAnswer(view, reply, owner, type, found.podTtl, found.address, found.addressLength);
}
