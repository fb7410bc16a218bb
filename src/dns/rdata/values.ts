// rdata made straight from values, for the records that healthdns makes itself: no text in between.
import type { WireName } from '../name.ts';
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

export function srvRdata(priority: number, weight: number, port: number, target: WireName): Uint8Array {
  const rdata = new Uint8Array(6 + target.length);
  [priority, weight, port].forEach((number, i) => {
    rdata[2 * i] = number >> 8;
    rdata[2 * i + 1] = number & 0xff;
  });
  rdata.set(target, 6);
  return rdata;
}

/** One TXT record of the given strings, each at most 255 bytes of UTF-8. Throws RdataError. */
export function txtRdata(...texts: readonly string[]): Uint8Array {
  const utf8 = new TextEncoder();
  return joined(texts.map((text) => characterString(utf8.encode(text))));
}
