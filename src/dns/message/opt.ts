// The OPT record as a value: EDNS(0) (RFC 6891 section 6.1) and Extended DNS Errors (RFC 8914).

import { MAX_EDNS_OPTIONS } from '../limits.ts';
import { ROOT } from '../name.ts';
import { MessageError } from '../reader.ts';
import { EDNS_DO, OPTION, TYPE } from '../types.ts';
import type { MessageRecord } from './record.ts';

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface Edns {
  readonly version: number;
  /** The sender's UDP payload size, as stated. */
  readonly udpBytes: number;
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

/** An OPT record → its parts. Throws MessageError. */
export function parseOpt(record: MessageRecord): { edns: Edns; extendedRcode: number } {
  if (record.name.length !== 1) throw new MessageError('an OPT record whose name is not the root');
  return {
    extendedRcode: Math.floor(record.ttlSeconds / 0x100_0000),
    edns: {
      version: (record.ttlSeconds >> 16) & 0xff,
      udpBytes: record.class,
      dnssecOk: (record.ttlSeconds & EDNS_DO) !== 0,
      options: parseOptions(record.rdata),
    },
  };
}

/** The OPT record of a message with this EDNS and (12-bit) rcode. */
export function composeOpt(edns: Edns, rcode: number): MessageRecord {
  const rdata = edns.options.flatMap(({ code, data }) => [
    code >> 8,
    code & 0xff,
    data.length >> 8,
    data.length & 0xff,
    ...data,
  ]);
  return {
    name: ROOT,
    type: TYPE.OPT,
    class: edns.udpBytes,
    ttlSeconds: (rcode >> 4) * 0x100_0000 + (edns.version << 16) + (edns.dnssecOk ? EDNS_DO : 0),
    rdata: Uint8Array.from(rdata),
  };
}

export interface ExtendedError {
  readonly infoCode: number;
  readonly text: string;
}

/** The Extended DNS Errors among the options; malformed ones are left out. */
export function extendedErrors(edns: Edns | undefined): ExtendedError[] {
  const errors = (edns?.options ?? []).filter(({ code, data }) => code === OPTION.EDE && data.length >= 2);
  return errors.map(({ data }) => ({
    infoCode: (data[0] << 8) | data[1],
    // RFC 8914 section 2: UTF-8, which some end with a zero byte.
    text: new TextDecoder().decode(data.subarray(2)).replace(/\0+$/, ''),
  }));
}

function parseOptions(rdata: Uint8Array): EdnsOption[] {
  const options: EdnsOption[] = [];
  for (let at = 0; at < rdata.length; ) {
    if (at + 4 > rdata.length) throw new MessageError('an EDNS option is cut short');
    const end = at + 4 + ((rdata[at + 2] << 8) | rdata[at + 3]);
    if (end > rdata.length) throw new MessageError('an EDNS option runs past the end of OPT');
    if (options.length === MAX_EDNS_OPTIONS) throw new MessageError(`more than ${MAX_EDNS_OPTIONS} EDNS options`);
    options.push({ code: (rdata[at] << 8) | rdata[at + 1], data: rdata.slice(at + 4, end) });
    at = end;
  }
  return options;
}
