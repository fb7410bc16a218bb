// ipv4only.arpa, by which clients learn the prefix of the NAT64 (RFC 7050). With DNS64 it is answered here, and no
// other server is queried for it (RFC 8880 section 7).

import type { WireName } from '../../dns/name.ts';
import { formatName, parseName } from '../../dns/name.ts';
import { RCODE, TYPE } from '../../dns/types.ts';
import type { Dns64Settings } from '../../plane/forward-settings.ts';
import type { Answer } from '../upstream/answer.ts';
import { statedAnswer, withSoa } from '../upstream/answer.ts';
import type { ForwardQuestion } from '../upstream/question.ts';
import { createEmbedding } from './dns64.ts';

const NAME = 'ipv4only.arpa.';
const REVERSE_NAMES: readonly string[] = ['170.0.0.192.in-addr.arpa.', '171.0.0.192.in-addr.arpa.'];
const ADDRESSES = [Uint8Array.of(192, 0, 0, 170), Uint8Array.of(192, 0, 0, 171)];
/** As the zone in the public DNS has it. */
const TTL_SECONDS = 86_400;

/** undefined: another name. */
export function createIpv4Only(settings: Dns64Settings): (question: ForwardQuestion) => Answer | undefined {
  const mapped = ADDRESSES.map(createEmbedding(settings));
  const target = parseName(NAME);
  return (question) => {
    const name = formatName(question.name);
    const say = (zone: WireName, rdata: readonly Uint8Array[]) =>
      withSoa(statedAnswer(question, rdata, TTL_SECONDS), zone, TTL_SECONDS);
    if (REVERSE_NAMES.includes(name)) return say(question.name, question.type === TYPE.PTR ? [target] : []);
    if (name.endsWith(`.${NAME}`)) return { ...say(target, []), rcode: RCODE.NXDOMAIN };
    if (name !== NAME) return undefined;
    return say(target, question.type === TYPE.A ? ADDRESSES : question.type === TYPE.AAAA ? mapped : []);
  };
}
