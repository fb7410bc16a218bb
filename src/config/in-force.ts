// Which configuration is in force, since when, and the last one that was refused: for /ready, the page, the metrics and
// `healthdns explain --config`.
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';

export interface ConfigStatus {
  readonly file: string;
  /** Of the text of the file and those that it includes; SHA-256, the first 16 digits. */
  readonly hash: string;
  readonly since: string;
  /** A reload after the one in force that changed nothing. */
  readonly refused?: RefusedConfig;
}

export interface RefusedConfig {
  /** undefined: the file could not be read. */
  readonly hash: string | undefined;
  readonly at: string;
  /** The first of them. */
  readonly errors: readonly string[];
  /** How many more there are. */
  readonly more: number;
}

export interface ConfigInForce {
  status(): ConfigStatus;
  /** A configuration has taken effect. */
  took(hash: string): void;
  /** A configuration was refused, or could not be prepared. */
  refused(hash: string | undefined, errors: readonly string[]): void;
  failures(): number;
  tookMs(): number;
}

const MAX_ERRORS = 10;
const MAX_ERROR_LENGTH = 500;

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export function createConfigInForce(file: string, firstHash: string, clock: Pick<Clock, 'now'>): ConfigInForce {
  let hash = firstHash;
  let tookMs = clock.now();
  let refused: RefusedConfig | undefined;
  let failures = 0;
  return {
    status: () => ({ file, hash, since: timeOf(tookMs), ...(refused && { refused }) }),
    took(next) {
      hash = next;
      tookMs = clock.now();
      refused = undefined;
    },
    refused(of, errors) {
      failures++;
      refused = {
        hash: of,
        at: timeOf(clock.now()),
        errors: errors.slice(0, MAX_ERRORS).map((error) => error.slice(0, MAX_ERROR_LENGTH)),
        more: Math.max(0, errors.length - MAX_ERRORS),
      };
    },
    failures: () => failures,
    tookMs: () => tookMs,
  };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

/** For people, one line each. */
export function describeConfig({ file, hash, since, refused }: ConfigStatus): string[] {
  const inForce = `configuration ${hash} of ${file}, in force since ${since}`;
  if (refused === undefined) return [inForce];
  const { hash: of = 'that could not be read', at, errors, more } = refused;
  return [
    inForce,
    `configuration ${of} refused at ${at}:`,
    ...errors.map((error) => `  ${error}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
