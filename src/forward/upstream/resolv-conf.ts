// The nameservers of /etc/resolv.conf (resolv.conf(5)), read again when the file changes. A poll that compares the text
// works for files that are edited, renamed over, and swapped by links as ConfigMap mounts are.
import type { Clock, Timer } from '../../clock.ts';
import { canonicalIp } from '../../dns/ip.ts';
import { readRegularFile } from '../../native/regular-file.ts';
import type { UpstreamSettings } from '../../plane/forward-settings.ts';

const POLL_MS = 5000;
/** Resolvers use 3; more than this is a mistake in the file. */
const MAX_NAMESERVERS = 15;

/** Lines "nameserver ADDRESS"; other lines and invalid addresses are ignored. */
export function parseResolvConf(text: string): UpstreamSettings[] {
  const upstreams: UpstreamSettings[] = [];
  for (const line of text.split('\n')) {
    const [keyword, value] = line.trim().split(/\s+/);
    const address = keyword === 'nameserver' && value !== undefined ? canonicalIp(value) : undefined;
    if (address === undefined || upstreams.some((upstream) => upstream.address === address)) continue;
    if (upstreams.length < MAX_NAMESERVERS) upstreams.push({ address, port: 53, tls: undefined });
  }
  return upstreams;
}

export interface FileWatch {
  /** Resolves when the file has been read, or could not be, for the first time. */
  readonly firstLook: Promise<void>;
  stop(): void;
}

/**
 * Calls `onText` with the file's text now and after each change. A file that cannot be read is logged once and changes
 * nothing: the upstreams known last stay.
 */
export function watchText(
  file: string,
  clock: Clock,
  log: (message: string) => void,
  onText: (text: string) => void,
  read: (file: string) => Promise<string> = (name) => readRegularFile(name),
): FileWatch {
  let stopped = false;
  let timer: Timer | undefined;
  let last: string | undefined;
  let failing = false;
  const look = async () => {
    try {
      const text = await read(file);
      failing = false;
      if (stopped || text === last) return;
      last = text;
      onText(text);
    } catch (error) {
      if (!failing) log(`cannot read ${file}: ${(error as Error).message}; its previous content stays in use`);
      failing = true;
    } finally {
      if (!stopped) timer = clock.setTimeout(look, POLL_MS);
    }
  };
  return {
    firstLook: look(),
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
