// Record types and the fields of their rdata, in wire order. A new type is one line here.
import { TYPE } from '../types.ts';
import {
  address,
  base64ToEnd,
  type Field,
  hexToEnd,
  name,
  recordType,
  string,
  strings,
  tag,
  textToEnd,
  timestamp,
  uint,
} from './fields.ts';
import { loc } from './loc.ts';
import { serviceParameters } from './svcb.ts';
import { typeBitmap } from './type-bitmap.ts';

export interface Layout {
  readonly fields: readonly Field[];
  /**
   * RFC 3597 section 4. 'sent': names may be compressed when sent (RFC 1035's types only). 'read': they are expanded when
   * they come compressed, but never sent so. Left out: never compressed, the bytes are taken as they are.
   */
  readonly compression?: 'sent' | 'read';
}

const digest = { fields: [uint('key tag', 2), uint('algorithm', 1), uint('digest type', 1), hexToEnd('digest')] };
const certificate = { fields: [uint('usage', 1), uint('selector', 1), uint('matching type', 1), hexToEnd('data')] };
const publicKey = { fields: [uint('flags', 2), uint('protocol', 1), uint('algorithm', 1), base64ToEnd('key')] };
const service = { fields: [uint('priority', 2), name('target'), serviceParameters('parameters')] };
/** One name. RFC 1035 */
const target: Layout = { fields: [name('target')], compression: 'sent' };

const LAYOUTS: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  [TYPE.A, { fields: [address('IPv4 address', 4)] }], // RFC 1035
  [TYPE.AAAA, { fields: [address('IPv6 address', 6)] }], // RFC 3596
  [TYPE.NS, { fields: [name('name server')], compression: 'sent' }], // RFC 1035
  [TYPE.CNAME, target], // RFC 1035
  [TYPE.PTR, target], // RFC 1035
  [TYPE.MD, target], // RFC 1035, obsolete
  [TYPE.MF, target], // RFC 1035, obsolete
  [TYPE.MB, target], // RFC 1035, obsolete
  [TYPE.MG, target], // RFC 1035, obsolete
  [TYPE.MR, target], // RFC 1035, obsolete
  [TYPE.MINFO, { fields: [name('responsible mailbox'), name('error mailbox')], compression: 'sent' }], // RFC 1035
  [TYPE.DNAME, { fields: [name('target')], compression: 'read' }], // RFC 6672, section 2.1: not compressed
  [TYPE.MX, { fields: [uint('preference', 2), name('exchange')], compression: 'sent' }], // RFC 1035
  [
    TYPE.SRV,
    { fields: [uint('priority', 2), uint('weight', 2), uint('port', 2), name('target')], compression: 'read' },
  ], // RFC 2782
  [TYPE.TXT, { fields: [strings('"text" …')] }], // RFC 1035
  [TYPE.SPF, { fields: [strings('"text" …')] }], // RFC 4408
  [
    TYPE.SOA, // RFC 1035, RFC 2308
    {
      fields: [
        ...[name('mname'), name('rname')],
        ...['serial', 'refresh', 'retry', 'expire', 'minimum'].map((label) => uint(label, 4)),
      ],
      compression: 'sent',
    },
  ],
  [TYPE.CAA, { fields: [uint('flags', 1), tag('tag'), textToEnd('"value"')] }], // RFC 8659
  [TYPE.HINFO, { fields: [string('"cpu"'), string('"os"')] }], // RFC 1035, RFC 8482
  [TYPE.RP, { fields: [name('mailbox'), name('text name')], compression: 'read' }], // RFC 1183
  [TYPE.AFSDB, { fields: [uint('subtype', 2), name('host')], compression: 'read' }], // RFC 1183
  [TYPE.RT, { fields: [uint('preference', 2), name('host')], compression: 'read' }], // RFC 1183
  [TYPE.PX, { fields: [uint('preference', 2), name('RFC 822 name'), name('X.400 name')], compression: 'read' }], // RFC 2163
  [TYPE.KX, { fields: [uint('preference', 2), name('exchanger')], compression: 'read' }], // RFC 2230
  [TYPE.LOC, { fields: [loc('latitude longitude altitude …')] }], // RFC 1876
  [
    TYPE.NAPTR, // RFC 3403
    {
      fields: [
        ...[uint('order', 2), uint('preference', 2), string('"flags"'), string('"services"'), string('"regexp"')],
        name('replacement'),
      ],
      compression: 'read',
    },
  ],
  [TYPE.SSHFP, { fields: [uint('algorithm', 1), uint('fingerprint type', 1), hexToEnd('fingerprint')] }], // RFC 4255
  [TYPE.TLSA, certificate], // RFC 6698
  [TYPE.SMIMEA, certificate], // RFC 8162
  [TYPE.OPENPGPKEY, { fields: [base64ToEnd('key')] }], // RFC 7929
  [TYPE.URI, { fields: [uint('priority', 2), uint('weight', 2), textToEnd('"target"')] }], // RFC 7553
  [TYPE.SVCB, service], // RFC 9460
  [TYPE.HTTPS, service], // RFC 9460
  [TYPE.DS, digest], // RFC 4034
  [TYPE.CDS, digest], // RFC 7344
  [TYPE.DNSKEY, publicKey], // RFC 4034
  [TYPE.CDNSKEY, publicKey], // RFC 7344
  [
    TYPE.RRSIG, // RFC 4034
    {
      fields: [
        ...[recordType('type covered'), uint('algorithm', 1), uint('labels', 1), uint('original ttl', 4)],
        ...[
          timestamp('expiration'),
          timestamp('inception'),
          uint('key tag', 2),
          name('signer'),
          base64ToEnd('signature'),
        ],
      ],
    },
  ],
  [TYPE.NSEC, { fields: [name('next'), typeBitmap('type …')] }], // RFC 4034
]);

/** The fields of a type's rdata; undefined: the type is only known by its number (RFC 3597). */
export function layoutOf(type: number): Layout | undefined {
  return LAYOUTS.get(type);
}

/** Where the first name begins in the rdata of a type; -1 where it has none, or not always at the same offset. */
export function firstNameOffset(type: number): number {
  let offset = 0;
  for (const { kind, size } of LAYOUTS.get(type)?.fields ?? []) {
    if (kind === 'name') return offset;
    if (size === undefined) return -1;
    offset += size;
  }
  return -1;
}

/** The types that have a text of their own, for error messages and generated tests. */
export function typesWithLayout(): number[] {
  return [...LAYOUTS.keys()];
}
