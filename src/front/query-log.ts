// The query log: selects and formats queries. Off by default, and safe to display on a terminal: names are
// written with their escapes. The formats are those of CoreDNS's `log`.
import { emptyQueryEdns, readQueryEdns } from '../dns/fast/query-edns.ts';
import { questionNameEnd } from '../dns/fast/question-reader.ts';
import { formatIp } from '../dns/ip.ts';
import { HEADER_BYTES, UDP_BYTES_WITHOUT_EDNS } from '../dns/limits.ts';
import { formatName, isSubdomain, lowerCased, NameError, parseName, type WireName } from '../dns/name.ts';
import { CLASS, RCODE, rcodeName, typeName } from '../dns/types.ts';
import type { LogClass, QueryLogSettings } from '../plane/forward-settings.ts';
import type { QueryLine } from '../plane/query-line.ts';
import { createNetworks } from './networks.ts';

/** A query with its response. The bytes are valid during the call only. */
export interface ObservedQuery {
  readonly client: Uint8Array;
  /** 0: unknown. */
  readonly port: number;
  readonly overTcp: boolean;
  readonly query: Uint8Array;
  /** Empty: there is none. */
  readonly response: Uint8Array;
  readonly milliseconds: number;
  readonly from: QueryLine['from'];
}

/** Gives the line, or undefined where this query is not to be logged. */
export type QueryLog = (observed: ObservedQuery) => QueryLine | undefined;

export function createQueryLog(settings: QueryLogSettings): QueryLog {
  const { rcodes, classes, every, format } = settings;
  const zones = settings.names.map((name) => parseName(name));
  const covers = createNetworks(settings.networks);
  const formatted = format === undefined ? undefined : createFormat(format);
  let seen = 0;

  const isWanted = ({ client, response }: ObservedQuery, name: WireName | undefined): boolean => {
    if (rcodes.length > 0 && !rcodes.includes(rcodeOf(response))) return false;
    if (classes.length > 0 && !classes.includes(classOf(response))) return false;
    if (zones.length > 0 && !zones.some((zone) => name !== undefined && isSubdomain(name, zone))) return false;
    return covers(client);
  };

  return (observed) => {
    const { query } = observed;
    const nameEnd = questionNameEnd(query);
    const name = nameEnd === 0 ? undefined : query.subarray(HEADER_BYTES, nameEnd);
    if (!isWanted(observed, zones.length === 0 || name === undefined ? name : lowerCased(name))) return undefined;
    if (seen++ % every !== 0) return undefined;
    const line = lineOf(observed, name, nameEnd);
    return formatted === undefined ? line : { ...line, text: formatted(line, query, nameEnd) };
  };
}

function lineOf(observed: ObservedQuery, name: WireName | undefined, nameEnd: number): QueryLine {
  const { client, port, overTcp, query, response, milliseconds, from } = observed;
  const uint16 = (at: number) => (query[at] << 8) | query[at + 1];
  const rcode = rcodeOf(response);
  return {
    client: client.length === 0 ? '-' : formatIp(client),
    port,
    protocol: overTcp ? 'tcp' : 'udp',
    id: query.length >= 2 ? uint16(0) : 0,
    name: name === undefined ? '-' : nameText(name),
    type: nameEnd === 0 ? '-' : typeName(uint16(nameEnd)),
    class: nameEnd === 0 ? '-' : classText(uint16(nameEnd + 2)),
    rcode: rcode < 0 ? 'dropped' : rcodeName(rcode),
    flags: flagsText(response),
    querySize: query.length,
    size: response.length,
    durationMs: Math.round(milliseconds * 1_000) / 1_000,
    from,
  };
}

const rcodeOf = (response: Uint8Array): number => (response.length >= 4 ? response[3] & 0x0f : -1);

/** denial: NXDOMAIN, or NOERROR without an answer. */
function classOf(response: Uint8Array): LogClass {
  const rcode = rcodeOf(response);
  if (rcode === RCODE.NXDOMAIN) return 'denial';
  if (rcode !== RCODE.NOERROR) return 'error';
  return response.length >= HEADER_BYTES && (response[6] | response[7]) === 0 ? 'denial' : 'success';
}

function nameText(name: WireName): string {
  try {
    return formatName(name);
  } catch (error) {
    if (error instanceof NameError) return '-';
    throw error;
  }
}

function classText(value: number): string {
  const known = Object.entries(CLASS).find(([, number]) => number === value);
  return known === undefined ? `CLASS${value}` : known[0];
}

const FLAGS: readonly (readonly [byte: number, bit: number, name: string])[] = [
  [2, 0x80, 'qr'],
  [2, 0x04, 'aa'],
  [2, 0x02, 'tc'],
  [2, 0x01, 'rd'],
  [3, 0x80, 'ra'],
  [3, 0x40, 'z'],
  [3, 0x20, 'ad'],
  [3, 0x10, 'cd'],
];

const flagsText = (response: Uint8Array): string =>
  response.length < 4
    ? ''
    : FLAGS.filter(([byte, bit]) => (response[byte] & bit) !== 0)
        .map(([, , name]) => name)
        .join(',');

const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';

/** Fields are replaced in one pass, so that a name that looks like a field stays as it is. Unknown fields are '-'. */
function createFormat(format: string): (line: QueryLine, query: Uint8Array, nameEnd: number) => string {
  const whole = format.replaceAll('{common}', COMMON).replaceAll('{combined}', `${COMMON} "{>opcode}"`);
  const edns = emptyQueryEdns();
  return (line, query, nameEnd) => {
    const isRead = nameEnd > 0 && readQueryEdns(query, 0, nameEnd + 4, query.length, edns) && edns.present;
    const fields: Readonly<Record<string, string>> = {
      remote: line.client.includes(':') ? `[${line.client}]` : line.client,
      port: line.port === 0 ? '-' : String(line.port),
      proto: line.protocol,
      name: line.name,
      type: line.type,
      class: line.class,
      size: String(line.querySize),
      rcode: line.rcode,
      rsize: String(line.size),
      duration: `${(line.durationMs / 1_000).toFixed(6).replace(/\.?0+$/, '')}s`,
      '>id': String(line.id),
      '>opcode': query.length > 2 ? String((query[2] >> 3) & 15) : '-',
      '>rflags': line.flags,
      '>do': String(isRead && edns.dnssecOk),
      '>bufsize': String(isRead ? edns.udpBytes : UDP_BYTES_WITHOUT_EDNS),
    };
    return whole.replaceAll(
      /\{([^{}]*)\}/g,
      (_, field: string) => fields[field.startsWith('>') ? field.toLowerCase() : field] || '-',
    );
  };
}
