// `records`: static records, as in a zone file but with names relative to the zone and TXT values written as they are.
import * as v from 'valibot';
import { composeRdata, formatRdata, RdataError } from '../../dns/rdata/rdata.ts';
import { parseType, TYPE, typeName } from '../../dns/types.ts';
import { type Path, type Reporter, shown } from '../../reading/problem.ts';
import { mapping, oneOrMany, text, ttlSeconds } from '../../reading/shape.ts';
import { nearest } from '../../reading/suggest.ts';
import type { StaticRecord } from '../config.ts';
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
const NOT_FOR_PEOPLE = new Set<number>([
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

/** Cross-checks of all records of a zone whose name is sound; `records` holds only sound ones. */
export function checkRecords(
  records: readonly { readonly record: RecordInput; readonly path: Path }[],
  zone: string,
  reporter: Reporter,
): void {
  const byName = new Map<string, Claim[]>();
  for (const { record, path } of records) {
    const name = checkOwner(record, path, zone, reporter);
    const values = checkValues(record, path, zone, reporter);
    if (name === undefined || values === undefined) continue;
    const others = byName.get(name) ?? [];
    byName.set(name, others);
    others.push({ type: typeOf(record), path, ttlSeconds: record.ttlSeconds, values });
    checkBesideOthers(name, others, zone, reporter);
  }
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

function checkValues(record: RecordInput, path: Path, zone: string, reporter: Reporter): Set<string> | undefined {
  const values = new Set<string>();
  if (Array.isArray(record.value) && record.value.length === 0)
    reporter.problem([...path, 'value'], '`value`: expected at least one value');
  for (const [i, value] of [record.value].flat().entries()) {
    const at = Array.isArray(record.value) ? [...path, 'value', i] : [...path, 'value'];
    try {
      const canonical = canonicalValue(record.type, value, zone);
      if (values.has(canonical)) reporter.warning(at, `duplicate value ${shown(value)}: it is answered only once`);
      values.add(canonical);
    } catch (error) {
      if (!(error instanceof RdataError)) throw error;
      reporter.problem(at, error.message);
      return undefined;
    }
  }
  return values;
}

interface Claim {
  readonly type: string;
  readonly path: Path;
  readonly ttlSeconds: number | undefined;
  readonly values: ReadonlySet<string>;
}

/** The last of a name's records beside those before it. */
function checkBesideOthers(name: string, records: readonly Claim[], zone: string, reporter: Reporter): void {
  const added = records.at(-1)!;
  const at = [...added.path, 'type'];
  const conflict = conflictOf(name, records, zone);
  if (conflict) reporter.problem(at, conflict);
  const sameType = records.find(({ type }) => type === added.type)!;
  if (!conflict && sameType.ttlSeconds !== added.ttlSeconds)
    reporter.warning(
      at,
      `${name} ${added.type}: records of one name and type share one TTL (RFC 2181 section 5.2): the lowest is used`,
    );
}

function conflictOf(name: string, records: readonly Claim[], zone: string): string | undefined {
  const dnames = records.filter(({ type }) => type === 'DNAME');
  if (dnames.length > 1 || dnames.some(({ values }) => values.size > 1))
    return `${name} has more than one DNAME: only one is allowed (RFC 6672 section 2.4)`;
  if (dnames.length > 0 && name !== zone && records.some(({ type }) => type === 'NS'))
    return `${name} has a DNAME beside NS: names below it are either redirected or delegated (RFC 6672 section 2.3)`;
  const cnames = records.filter(({ type }) => type === 'CNAME');
  if (cnames.length === 0) return undefined;
  if (name === zone)
    return "a CNAME cannot stand at the zone's own name, where SOA and NS are (RFC 1034 section 3.6.2)";
  if (records.length === 1 && cnames[0].values.size === 1) return undefined;
  const what = cnames.length === records.length ? 'more than one CNAME' : 'a CNAME beside other records';
  return `${name} has ${what}: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)`;
}

/** Records without problems → one for each value, names absolute, duplicates left out, one TTL for a name and type. */
export function buildRecords(records: readonly RecordInput[], zone: string, defaultTtlSeconds: number): StaticRecord[] {
  const built = new Map<string, StaticRecord>();
  const ttls = new Map<string, number>();
  for (const record of records) {
    const name = absoluteName(record.name, zone);
    const type = typeOf(record);
    const rrset = `${name} ${type}`;
    const ttlSeconds = Math.min(record.ttlSeconds ?? defaultTtlSeconds, ttls.get(rrset) ?? Infinity);
    ttls.set(rrset, ttlSeconds);
    for (const text of [record.value].flat()) {
      const value = canonicalValue(record.type, text, zone);
      built.set(`${rrset} ${value}`, { name, type, value, ttlSeconds });
    }
  }
  return [...built.values()].map((record) => ({ ...record, ttlSeconds: ttls.get(`${record.name} ${record.type}`)! }));
}

/** The mnemonic of its type, also where that is written as TYPEn. */
export const typeOf = ({ type }: RecordInput): string => typeName(parseType(type.toUpperCase())!);

/** Throws RdataError. */
export function canonicalValue(typeText: string, value: string, zone: string): string {
  const type = parseType(typeText.toUpperCase())!;
  const written = type === TYPE.TXT && !/^\s*("|\\#)/.test(value) ? quoted(value) : value;
  return formatRdata(type, composeRdata(type, written, wireName(zone)));
}

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
