// `file`: a zone's records from a master file (RFC 1035 section 5).
import { setImmediate as pause } from 'node:timers/promises';
import { formatName, isSubdomain, parseName, sameName, type WireName } from '../../dns/name.ts';
import { TYPE, typeName } from '../../dns/types.ts';
import type { FilePlace, Reporter } from '../../reading/problem.ts';
import { type Place, readZoneFile, type ZoneFileTarget } from '../../reading/zone-file/zone-file.ts';
import type { StaticRecordsDraft } from '../static-records-draft.ts';
import { NOT_FOR_PEOPLE } from './records.ts';

/** A generated file may have a million problems; a person needs the first ones. */
const MAX_REPORTED = 1000;

/**
 * Adds the records of a file (absolute path) to the draft of the zone `apex`; `places` are those of its records. Resolves to the
 * reason why the file cannot be opened.
 */
export async function addZoneFile(
  path: string,
  zone: { readonly apex: WireName; readonly ttlSeconds: number },
  draft: StaticRecordsDraft,
  places: FilePlaces,
  reporter: Reporter,
): Promise<string | undefined> {
  const settings = { origin: zone.apex, ttlSeconds: zone.ttlSeconds, pause };
  return readZoneFile(path, settings, targetOf(zone.apex, draft, places, reporter));
}

function targetOf(apex: WireName, draft: StaticRecordsDraft, places: FilePlaces, reporter: Reporter): ZoneFileTarget {
  let problems = 0;
  let warnings = 0;
  const leftOut = new Set<number>();
  const warn = (place: Place, message: string) => {
    if (++warnings <= MAX_REPORTED) reporter.warningAt(places.inFile(place), message);
  };
  const target: ZoneFileTarget = {
    opened(path, size) {
      places.files.push(path);
      draft.expect(size);
    },
    record(name, type, ttlSeconds, rdata, place) {
      if (!isSubdomain(name, apex)) return warn(place, `${formatName(name)} is not in the zone: it is left out`);
      if (NOT_FOR_PEOPLE.has(type) && type !== TYPE.SOA) {
        if (!leftOut.has(type)) warn(place, `${typeName(type)} records are left out: answers are not signed`);
        leftOut.add(type);
        return;
      }
      const problem = problemOf(name, type, apex);
      if (problem !== undefined) target.problem(place, problem);
      else if (!draft.add(name, type, ttlSeconds, rdata, places.numberOf(place)))
        target.problem(place, 'the zone has more records than fit');
    },
    problem(place, message) {
      reporter.problemAt(places.inFile(place), message);
      return ++problems < MAX_REPORTED;
    },
  };
  return target;
}

function problemOf(name: WireName, type: number, apex: WireName): string | undefined {
  if (type === TYPE.SOA && !sameName(name, apex))
    return `the SOA of ${formatName(name)} is not that of the zone ${formatName(apex)}`;
  if (type === TYPE.NS && sameName(name.subarray(0, 2), WILDCARD))
    return 'a wildcard cannot be delegated (RFC 4592 section 4.2): list each name separately';
  return undefined;
}

const WILDCARD = parseName('*').subarray(0, 2);

/** Places of a zone file as numbers that are not those of places in zones.yaml. */
export class FilePlaces {
  /** Absolute paths, in the order they were opened. */
  readonly files: string[] = [];

  numberOf({ file, line }: Place): number {
    return FIRST + file * LINES + line;
  }

  /** undefined: not a place in a zone file. */
  ofNumber(number: number): FilePlace | undefined {
    if (number < FIRST) return undefined;
    const line = (number - FIRST) % LINES;
    return this.inFile({ file: Math.floor((number - FIRST) / LINES), line, column: 1 });
  }

  inFile({ file, line, column }: Place): FilePlace {
    return { file: this.files[file], line, column };
  }
}

const FIRST = 2 ** 50;
const LINES = 2 ** 32;
