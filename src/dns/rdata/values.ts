// Builds rdata from values, for records that healthdns generates, without parsing text.
import { cutBytes } from '../../memory/short-lived-bytes.ts';
import { type WireName, writeLabels } from '../name.ts';
import { bigEndian, characterString, joined } from './fields.ts';

export interface Soa {
  readonly mname: WireName;
  readonly rname: WireName;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** RFC 2308: for how long a negative answer may be kept. */
  readonly minimumSeconds: number;
}

export function soaRdata(soa: Soa): Uint8Array {
  const numbers = [soa.serial, soa.refreshSeconds, soa.retrySeconds, soa.expireSeconds, soa.minimumSeconds];
  return joined([soa.mname, soa.rname, ...numbers.map((number) => bigEndian(number, 4))]);
}

/** `target` may be labels and the name below which they are, so that no name is made of the two first. */
export function srvRdata(priority: number, weight: number, port: number, target: WireName, labels = ''): Uint8Array {
  const labelBytes = labels === '' ? 0 : 1 + labels.length;
  const rdata = cutBytes(6 + labelBytes + target.length);
  rdata[0] = priority >> 8;
  rdata[1] = priority & 0xff;
  rdata[2] = weight >> 8;
  rdata[3] = weight & 0xff;
  rdata[4] = port >> 8;
  rdata[5] = port & 0xff;
  if (labels !== '') writeLabels(rdata, 6, labels);
  rdata.set(target, 6 + labelBytes);
  return rdata;
}

/** One TXT record of the given strings, each at most 255 bytes of UTF-8. Throws RdataError. */
export function txtRdata(...texts: readonly string[]): Uint8Array {
  const utf8 = new TextEncoder();
  return joined(texts.map((text) => characterString(utf8.encode(text))));
}
