// Static addresses, inline or in files like /etc/hosts (hosts(5)).
import type { Clock } from '../../clock.ts';
import { formatIp, parseIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { formatName, isSubdomain, NameError, parseName, reverseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { HostsSettings } from '../../plane/forward-settings.ts';
import type { HostsCounts } from '../../plane/forward-statistics.ts';
import { type Answer, statedAnswer } from '../upstream/answer.ts';
import type { ForwardQuestion } from '../upstream/question.ts';
import { type FileWatch, watchText } from '../upstream/resolv-conf.ts';
import { isMapped } from './dns64.ts';

export interface Hosts {
  /** The answer, if the name is listed. Other types are NODATA, except PTR of a name with addresses (as in CoreDNS). */
  answerTo(question: ForwardQuestion): Answer | undefined;
  /** Names and addresses, and when a file was read last (wall-clock milliseconds; 0: never). */
  counts(): HostsCounts;
  /** Resolves when every file has been read, or could not be, for the first time. */
  readonly loaded: Promise<unknown>;
  stop(): void;
}

interface HostEntry {
  readonly address: Uint8Array;
  readonly names: readonly WireName[];
}

const MAX_LINES = 200_000;

/** The entries of a file. Invalid lines are skipped and counted. */
function parseHosts(text: string): { entries: HostEntry[]; wrong: number[] } {
  const entries: HostEntry[] = [];
  const wrong: number[] = [];
  for (const [i, line] of text.split('\n', MAX_LINES).entries()) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (address === '') continue;
    const entry = hostEntry(address, names);
    if (entry === undefined) wrong.push(i + 1);
    else entries.push(entry);
  }
  return { entries, wrong };
}

function hostEntry(address: string, names: readonly string[]): HostEntry | undefined {
  const bytes = parseIp(address.replace(/%.*/, ''));
  if (bytes === undefined || names.length === 0) return undefined;
  try {
    // An IPv4 address is one in IPv6 notation, too (as in glibc): AAAA records of it would be of no use.
    return { address: isMapped(bytes) ? bytes.subarray(12) : bytes, names: names.map((name) => parseName(name)) };
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

/** `onChange` reports the names whose answers may have changed. */
export function createHosts(
  settings: HostsSettings,
  clock: Clock,
  log: (level: 'info' | 'warn', message: string) => void,
  onChange: (names: readonly WireName[]) => void,
): Hosts {
  const inline = settings.entries.flatMap(({ address, names }) => hostEntry(address, names) ?? []);
  const fromFiles = new Map<string, readonly HostEntry[]>();
  let table = tableOf(inline, settings);
  let readMs = 0;

  function replace(file: string, text: string): void {
    const { entries, wrong } = parseHosts(text);
    const before = fromFiles.get(file) ?? [];
    fromFiles.set(file, entries);
    readMs = clock.now();
    table = tableOf([...inline, ...[...fromFiles.values()].flat()], settings);
    const remark = wrong.length === 0 ? '' : `, ${wrong.length} invalid lines: ${firstOf(wrong)}`;
    log(wrong.length > 0 ? 'warn' : 'info', `${file}: ${entries.length} hosts${remark}`);
    onChange(
      [...before, ...entries].flatMap(({ address, names }) => [...names, parseName(reverseName(formatIp(address)))]),
    );
  }

  const watches: FileWatch[] = settings.files.map((file) =>
    watchText(
      file,
      clock,
      (message) => log('warn', message),
      (text) => replace(file, text),
    ),
  );

  return {
    loaded: Promise.all(watches.map(({ firstLook }) => firstLook)),
    answerTo(question) {
      const { type } = question;
      const name = formatName(question.name);
      // As in CoreDNS, a wildcard stands for one label, and listed names go first.
      const found = table.get(name) ?? table.get(`*${name.slice(name.indexOf('.'))}`);
      if (found === undefined || (type === TYPE.PTR) !== found.reverse) return undefined;
      const ofType = (bytes: Uint8Array) =>
        type === TYPE.PTR || (type === TYPE.A && bytes.length === 4) || (type === TYPE.AAAA && bytes.length === 16);
      return statedAnswer(question, found.rdata.filter(ofType), settings.ttlSeconds);
    },
    counts: () => ({ file: settings.files.join(', '), entries: table.size, readMs }),
    stop() {
      for (const watch of watches) watch.stop();
    },
  };
}

function firstOf(lines: readonly number[]): string {
  return `${lines.slice(0, 5).join(', ')}${lines.length > 5 ? ' …' : ''}`;
}

type HostTable = ReadonlyMap<string, { readonly rdata: Uint8Array[]; readonly reverse: boolean }>;

function tableOf(entries: readonly HostEntry[], settings: HostsSettings): HostTable {
  const table = new Map<string, { rdata: Uint8Array[]; reverse: boolean }>();
  const zones = (settings.zones ?? []).map((zone) => parseName(zone));
  const isListed = (name: WireName) => zones.length === 0 || zones.some((zone) => isSubdomain(name, zone));
  const add = (name: string, rdata: Uint8Array, reverse: boolean) => {
    const found = table.get(name);
    if (found === undefined) table.set(name, { rdata: [rdata], reverse });
    else if (!found.rdata.some((bytes) => Buffer.compare(bytes, rdata) === 0)) found.rdata.push(rdata);
  };
  for (const { address, names: all } of entries) {
    const names = all.filter(isListed);
    for (const name of names) add(formatName(name), address, false);
    // All names, the canonical one first (hosts(5)), as in CoreDNS.
    if (!settings.reverse) continue;
    for (const name of names) if (!isWildcard(name)) add(reverseName(formatIp(address)), name, true);
  }
  return table;
}

export function isWildcard(name: WireName): boolean {
  return name[0] === 1 && name[1] === 0x2a;
}
