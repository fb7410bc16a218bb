// `healthdns cache list` and `cache flush`: the cache of external names of a running server.
import type { CacheListing } from '../plane/cache-orders.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { requestServer, type ServerFlags } from './server-request.ts';

export interface CacheOptions {
  readonly name: string | undefined;
  /** With names below it. */
  readonly below: boolean;
  readonly server: ServerFlags;
  readonly json: boolean;
}

/** Prints cached answers, one per line. */
export async function listCache({ name, server, json }: CacheOptions, print: (text: string) => void): Promise<void> {
  const entries = (await ask(server, `cache${parameters({ below: name })}`)) as CacheListing[];
  if (json) return print(JSON.stringify(entries, null, 2));
  for (const entry of entries) {
    print(`${entry.name}\t${entry.ttlSeconds}\t${entry.type}\trcode ${entry.rcode}\t${entry.bytes} bytes`);
  }
}

/** Removes a name, all names below it too, or everything from the cache; prints the number of answers. */
export async function flushCache({ name, below, server, json }: CacheOptions, print: (text: string) => void) {
  if (below && name === undefined) throw new CommandError('--below requires a NAME', EXIT.USAGE);
  const scope = parameters(below ? { below: name } : { name });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const result = (await ask(server, `cache/flush${scope}`, init)) as { flushed: number };
  print(json ? JSON.stringify(result) : `${result.flushed} ${result.flushed === 1 ? 'answer' : 'answers'} flushed`);
}

async function ask(server: ServerFlags, path: string, init?: RequestInit): Promise<unknown> {
  const response = await requestServer(server, path, init);
  const body = await response.text();
  if (response.status === 400) throw new CommandError(body.trim(), EXIT.USAGE);
  if (!response.ok) throw new CommandError(`${server.http} answered ${response.status}: ${body.trim()}`);
  return JSON.parse(body);
}

function parameters(values: Record<string, string | undefined>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
