// The static records of a zone: of `file` and of `records`, checked together.
import { resolve } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import { parseName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { Path, Reporter } from '../../reading/problem.ts';
import { type Soundness, soundItems } from '../../reading/validate.ts';
import { hasType, MOST_BUCKETS, type StaticRecords } from '../static-records.ts';
import { type Delegation, type RecordReporter, StaticRecordsDraft } from '../static-records-draft.ts';
import { addRecords, type RecordInput, recordReporter } from './records.ts';
import { addZoneFile, FilePlaces } from './zone-file.ts';

/** The part of a zone's entry that concerns its records. */
interface Input {
  readonly ttlSeconds: number;
  readonly file?: string | undefined;
  readonly records: readonly RecordInput[];
  readonly nameServers?: readonly string[] | undefined;
  readonly soa: object;
}

export interface ZoneRecords {
  readonly records: StaticRecords;
  /** Absolute paths of the zone file, also if it is missing, and of those that it includes. */
  readonly files: readonly string[];
  readonly delegations: readonly Delegation[];
  /** Reports at the places of `delegations`. */
  readonly reporter: RecordReporter;
}

interface Reading {
  /** Base of relative paths. */
  readonly folder: string;
  readonly soundness: Soundness;
  readonly reporter: Reporter;
}

/** Reads and checks the records of the zone `name`, whose entry in zones.yaml is at `path`. */
export async function readZoneRecords(
  zone: Input,
  name: string,
  path: Path,
  { folder, soundness, reporter }: Reading,
): Promise<ZoneRecords> {
  const apex = parseName(name);
  const draft = new StaticRecordsDraft(apex);
  const places = new FilePlaces();
  const ttlSeconds = soundness.isSound([...path, 'ttlSeconds']) ? zone.ttlSeconds : 0;
  const file = soundness.isSound([...path, 'file']) && zone.file !== undefined ? resolve(folder, zone.file) : undefined;
  if (file !== undefined) {
    const settings = { apex, ttlSeconds };
    const problem = await addZoneFile(file, settings, draft, places, reporter);
    if (problem !== undefined) reporter.problem([...path, 'file'], problem);
  }
  const list = [...path, 'records'];
  addRecords(soundItems(zone.records, list, soundness), { name, ttlSeconds }, draft, reporter);
  const together = reporterOf(places, recordReporter(list, reporter), reporter);
  const records = await finished(draft.finish(together), draft.size > MOST_BUCKETS);
  if (zone.file !== undefined) warnOfUnused(zone, records, apex, path, reporter);
  const files = file === undefined ? [] : [...new Set([file, ...places.files])];
  return { records, files, delegations: draft.delegations, reporter: together };
}

async function finished(steps: Generator<void, StaticRecords>, isLarge: boolean): Promise<StaticRecords> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (isLarge) await pause();
  }
}

/** A place is one of the zone file or of zones.yaml. */
function reporterOf(places: FilePlaces, records: RecordReporter, reporter: Reporter): RecordReporter {
  return {
    problem(place, part, message) {
      const inFile = places.ofNumber(place);
      if (inFile === undefined) records.problem(place, part, message);
      else reporter.problemAt(inFile, message);
    },
    warning(place, part, message) {
      const inFile = places.ofNumber(place);
      if (inFile === undefined) records.warning(place, part, message);
      else reporter.warningAt(inFile, message);
    },
  };
}

/** The SOA and NS of a file come before those that zones.yaml describes. */
function warnOfUnused(zone: Input, records: StaticRecords, apexName: WireName, path: Path, reporter: Reporter): void {
  const apex = records.find(apexName);
  if (zone.nameServers !== undefined && hasType(apex, TYPE.NS))
    reporter.warning([...path, 'nameServers'], `\`nameServers\` is not used: ${zone.file} has NS records of the zone`);
  if (Object.keys(zone.soa).length > 0 && hasType(apex, TYPE.SOA))
    reporter.warning([...path, 'soa'], `\`soa\` is not used: ${zone.file} has the SOA record of the zone`);
}
