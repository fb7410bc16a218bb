// `records`: static records, as in a zone file but with names relative to the zone and TXT values written as they are.
import * as v from 'valibot';
import { composeRdata, RdataError } from '../../dns/rdata/rdata.ts';
import { parseType, TYPE, typeName } from '../../dns/types.ts';
import { type Path, type Reporter, shown } from '../../reading/problem.ts';
import { mapping, oneOrMany, text, ttlSeconds } from '../../reading/shape.ts';
import { nearest } from '../../reading/suggest.ts';
import type { RecordPart, RecordReporter, StaticRecordsDraft } from '../static-records-draft.ts';
import { absoluteName, domainName, isInZone, nameMessage, wireName } from './names.ts';

const COMMON_TYPES = [
  'A',
  'AAAA',
  'CNAME',
  'DNAME',
  'MX',
  'NS',
  'PTR',
  'SRV',
  'TXT',
  'CAA',
  'HTTPS',
  'SVCB',
  'NAPTR',
  'TLSA',
  'SSHFP',
  'LOC',
  'URI',
];
/** Meta types (RFC 6895 section 3.1), and types that only a signer may publish. */
export const NOT_FOR_PEOPLE = new Set<number>([
  0,
  TYPE.OPT,
  TYPE.TKEY,
  TYPE.TSIG,
  TYPE.IXFR,
  TYPE.AXFR,
  TYPE.MAILB,
  TYPE.MAILA,
  TYPE.ANY,
  TYPE.NULL,
  TYPE.RRSIG,
  TYPE.NSEC,
  TYPE.NSEC3,
  TYPE.NSEC3PARAM,
  TYPE.DNSKEY,
  TYPE.SIG,
  TYPE.NXT,
]);

export const recordSchema = mapping(
  {
    name: domainName('a record name', 'Name relative to the zone; @ is the zone itself, * a wildcard.'),
    type: text('a record type such as A', `${COMMON_TYPES.join(', ')}, or any other by name or TYPEn.`, typeProblem),
    value: oneOrMany(
      text('a value', 'Value as in a zone file.'),
      'Value as in a zone file; names in it are relative to the zone unless they end with a dot. TXT: the text itself. A list yields one record per item.',
    ),
    ttlSeconds: v.optional(ttlSeconds("TTL; default: the zone's.")),
  },
  'A static record.',
);

export type RecordInput = v.InferOutput<typeof recordSchema>;

function typeProblem(value: string): string | undefined {
  const type = parseType(value.toUpperCase());
  if (type === undefined) {
    const near = nearest(value, Object.keys(TYPE));
    return `unknown record type "${shown(value)}"${near ? `, did you mean ${near}?` : `; expected one such as ${COMMON_TYPES.slice(0, 9).join(', ')}`}`;
  }
  if (type === TYPE.SOA) return "SOA is not written as a record: use the zone's `soa`";
  return NOT_FOR_PEOPLE.has(type) ? `${typeName(type)} is not allowed as a static record` : undefined;
}

/**
 * Adds the records of zones.yaml whose shape is sound to `draft`; `items` have their position in the list. Problems of one
 * record are reported here, those of records together when the draft is finished.
 */
export function addRecords(
  items: readonly { readonly item: RecordInput; readonly path: Path }[],
  zone: { readonly name: string; readonly ttlSeconds: number },
  draft: StaticRecordsDraft,
  reporter: Reporter,
): void {
  for (const { item: record, path } of items) {
    const name = checkOwner(record, path, zone.name, reporter);
    if (Array.isArray(record.value) && record.value.length === 0)
      reporter.problem([...path, 'value'], '`value`: expected at least one value');
    const type = parseType(record.type.toUpperCase())!;
    for (const [i, value] of [record.value].flat().entries()) {
      const place = placeOf(Number(path.at(-1)), Array.isArray(record.value) ? i : undefined);
      try {
        const rdata = composeRdata(type, presentation(type, value), wireName(zone.name));
        if (name !== undefined) draft.add(wireName(name), type, record.ttlSeconds ?? zone.ttlSeconds, rdata, place);
      } catch (error) {
        if (!(error instanceof RdataError)) throw error;
        reporter.problem(pathOf(place, 'value', path.slice(0, -1)), error.message);
        break;
      }
    }
  }
}

// Places of a draft: the position of the record in the list, and of the value in the record, where that is a list.

const VALUES = 2 ** 20;

const placeOf = (record: number, value: number | undefined): number =>
  record * VALUES + (value === undefined ? 0 : Math.min(value + 1, VALUES - 1));

/** `records`: the path of the list. */
function pathOf(place: number, part: RecordPart, records: Path): Path {
  const value = place % VALUES;
  const record = [...records, Math.floor(place / VALUES), part];
  return part === 'value' && value > 0 ? [...record, value - 1] : record;
}

/** Reports what a draft finds at the paths of the records of zones.yaml. */
export function recordReporter(records: Path, reporter: Reporter): RecordReporter {
  return {
    problem: (place, part, message) => reporter.problem(pathOf(place, part, records), message),
    warning: (place, part, message) => reporter.warning(pathOf(place, part, records), message),
  };
}

function checkOwner(record: RecordInput, path: Path, zone: string, reporter: Reporter): string | undefined {
  const at = [...path, 'name'];
  let name: string;
  try {
    name = absoluteName(record.name, zone);
  } catch (error) {
    reporter.problem(at, nameMessage(error));
    return undefined;
  }
  if (!isInZone(name, zone)) {
    reporter.problem(
      at,
      `record \`${shown(record.name)}\` is not in zone ${zone}: remove the dot at its end, or move it to its own zone`,
    );
    return undefined;
  }
  if (!record.name.endsWith('.') && zone !== '.' && isInZone(absoluteName(record.name), zone))
    reporter.warning(
      at,
      `record \`${shown(record.name)}\` becomes ${name}: names are relative to the zone unless they end with a dot`,
    );
  if (name.slice(2).split('.').includes('*'))
    reporter.warning(at, `\`*\` in \`${shown(record.name)}\` is a wildcard only as the first label (RFC 4592)`);
  if (typeOf(record) === 'NS') {
    const place = [...path, 'type'];
    if (name === zone) reporter.problem(place, "the zone's own NS records are written as its `nameServers`");
    if (name.startsWith('*.'))
      reporter.problem(place, 'a wildcard cannot be delegated (RFC 4592 section 4.2): list each name separately');
  }
  return name;
}

/** The mnemonic of its type, also where that is written as TYPEn. */
const typeOf = ({ type }: RecordInput): string => typeName(parseType(type.toUpperCase())!);

/** A value as in a zone file: a TXT may be written as it is. */
const presentation = (type: number, value: string): string =>
  type === TYPE.TXT && !/^\s*("|\\#)/.test(value) ? quoted(value) : value;

/** Text as TXT strings of at most 255 bytes each (RFC 1035 section 3.3.14), bytes above ASCII as \DDD. */
function quoted(value: string): string {
  const bytes = [...Buffer.from(value)];
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255)
    strings.push(
      bytes
        .slice(at, at + 255)
        .map(escaped)
        .join(''),
    );
  return strings.map((string) => `"${string}"`).join(' ');
}

function escaped(byte: number): string {
  if (byte === 0x22 || byte === 0x5c || byte < 0x20 || byte > 0x7e) return `\\${String(byte).padStart(3, '0')}`;
  return String.fromCharCode(byte);
}
