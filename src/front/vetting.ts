// Access lists apply to every name that is looked up for a client: not only to the question, but to targets of aliases, the A
// records that DNS64 translates, and names whose addresses are added.
import { parseIp } from '../dns/ip.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { composeTruncating, parseMessage } from '../dns/message/message.ts';
import type { MessageRecord } from '../dns/message/record.ts';
import { lowerCased, sameName, type WireName } from '../dns/name.ts';
import { TYPE } from '../dns/types.ts';
import type { Dns64Settings } from '../plane/forward-settings.ts';
import type { Acl, AclAction } from './acl.ts';

export interface Vetted {
  readonly action: AclAction;
  /** With `allow`: the records that the client may see. */
  readonly response: Uint8Array;
}

/** Vets the response to a question of type `type` for `name` (lower case) that the client may ask. */
export type Vetting = (client: Uint8Array, name: WireName, type: number, response: Uint8Array) => Vetted;

export function createVetting(acl: Acl, dns64: Dns64Settings | undefined): Vetting {
  const prefix = dns64 && (parseIp(dns64.prefix) ?? new Uint8Array(16)).subarray(0, dns64.prefixBits / 8);
  const isTranslated = ({ type, rdata }: MessageRecord) =>
    type === TYPE.AAAA && prefix !== undefined && prefix.every((byte, i) => rdata[i] === byte);

  return (client, name, type, response) => {
    if (!revealsMore(response, prefix !== undefined && type === TYPE.AAAA)) return { action: 'allow', response };
    const message = parseMessage(response);
    for (const owner of namesLookedUp(message.answers, type)) {
      const action = sameName(owner, name) ? 'allow' : acl(client, owner, type);
      if (action !== 'allow') return { action, response };
    }
    const answers = message.answers.filter(
      (record) => !isTranslated(record) || acl(client, lowerCased(record.name), TYPE.A) === 'allow',
    );
    const additionals = message.additionals.filter(
      (record) => acl(client, lowerCased(record.name), record.type) === 'allow',
    );
    const same = answers.length === message.answers.length && additionals.length === message.additionals.length;
    return { action: 'allow', response: same ? response : composeTruncating({ ...message, answers, additionals }) };
  };
}

/**
 * Owners, and targets of aliases, in lower case. CNAME and ANY queries end at the alias. A DNAME's own target is not looked
 * up either, but that of the CNAME that follows from it.
 */
function namesLookedUp(answers: readonly MessageRecord[], type: number): WireName[] {
  const follows = type !== TYPE.CNAME && type !== TYPE.ANY;
  return answers.flatMap((record) =>
    follows && record.type === TYPE.CNAME
      ? [lowerCased(record.name), lowerCased(record.rdata)]
      : [lowerCased(record.name)],
  );
}

/** Whether a response has names beside that of its question: aliases, added addresses, or, with `translated`, any answer. */
function revealsMore(response: Uint8Array, translated: boolean): boolean {
  if (response.length < HEADER_BYTES) return false;
  const uint16 = (at: number) => (response[at] << 8) | response[at + 1];
  const answers = uint16(6);
  const beforeAdditionals = answers + uint16(8);
  const records = beforeAdditionals + uint16(10);
  if (answers > 0 && translated) return true;
  let at = afterName(response, HEADER_BYTES) + 4;
  for (let i = 0; i < records; i++) {
    at = afterName(response, at);
    const type = uint16(at);
    if (i < answers && (type === TYPE.CNAME || type === TYPE.DNAME)) return true;
    if (i >= beforeAdditionals && type !== TYPE.OPT) return true;
    at += 10 + uint16(at + 8);
  }
  return false;
}

function afterName(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] !== 0 && bytes[at] < 0xc0) at += 1 + bytes[at];
  return bytes[at] === 0 ? at + 1 : at + 2;
}
