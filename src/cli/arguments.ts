// Command-line words → values; commander turns InvalidArgumentError into one line that names the option.
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import type { ListenAddress } from '../config/config.ts';
import { parseListenAddress } from '../config/sections/listen.ts';
import { parseServer } from '../query/words.ts';
import type { LiveAddress } from '../shadow/live.ts';
import type { ServiceRegistry } from '../taskdef/deployment.ts';
import { CommandError } from './exit-code.ts';

export function collectAddresses(value: string, previous: ListenAddress[] | undefined): ListenAddress[] {
  return [...(previous ?? []), parseAddress(value)];
}

export function parseAddress(value: string): ListenAddress {
  try {
    return parseListenAddress(value);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

export function parseThreads(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  const threads = Number(text);
  if (!/^\d+$/.test(text) || threads < 1 || threads > 64) throw new InvalidArgumentError('expected 1 to 64 or "auto".');
  return threads;
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 3600))
    throw new InvalidArgumentError('expected more than 0 and at most 3600 seconds.');
  return seconds;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** "90s", "30m", "2h", "1d" → seconds. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * UNITS[unit];
  if (!(seconds > 0)) throw new InvalidArgumentError('expected a duration such as 90s, 30m, 2h or 1d.');
  return seconds;
}

/** "10.96.0.10", "coredns:5353", "[fd00::a]:53"; the port is 53 by default. */
export function parseDnsServer(text: string): { server: string; port: number } {
  try {
    return parseServer(text.replace(/^@/, ''));
  } catch {
    throw new InvalidArgumentError('expected an address such as 10.96.0.10, 127.0.0.1:1053 or [fd00::a]:53.');
  }
}

/** "unix:/run/dnstap.sock", "127.0.0.1:6000" */
export function parseLiveAddress(text: string): LiveAddress {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) };
  return parseAddress(text);
}

/** A whole number from `least` to `most`. */
export function parseWhole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`expected ${least} to ${most}.`);
    return value;
  };
}

export function parseCount(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('expected a whole number of at most five digits.');
  return Number(text);
}

/** A valid name of an ECS service or cluster that contains something valid in Kubernetes. */
export function parseEcsName(text: string): string {
  if (!/^(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,255}$/.test(text))
    throw new InvalidArgumentError('expected letters, digits, hyphens and underscores.');
  return text;
}

export function parseKubernetesNamespace(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('expected at most 63 of a-z, 0-9 and hyphens.');
  return text;
}

/** "ARN" or "ARN:CONTAINER:PORT"; an ARN of Cloud Map ends in "service/srv-…". */
export function collectRegistries(word: string, previous: readonly ServiceRegistry[]): ServiceRegistry[] {
  const match = /^(arn:[^:]*:servicediscovery:[^:]*:[^:]*:service\/[^:]+)(?::([^:]+):(\d+))?$/.exec(word);
  if (match === null) throw new InvalidArgumentError('expected arn:aws:servicediscovery:…:service/srv-….');
  const [, registryArn, containerName, port] = match;
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535))
    throw new InvalidArgumentError('expected a port from 1 to 65535.');
  return [...previous, { registryArn, ...(port && { containerName, containerPort: Number(port) }) }];
}

/** The content of a file, or of stdin for "-". Throws CommandError. */
export async function readText(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
