// One line per query for troubleshooting: client, question, outcome. Off by default, sampled, and safe to display
// on a terminal: names are written with their escapes.
import { formatIp } from '../dns/ip.ts';
import { formatName, NameError } from '../dns/name.ts';
import { rcodeName, typeName } from '../dns/types.ts';
import type { QueryLogSettings } from '../plane/forward-settings.ts';

export interface LoggedQuery {
  readonly client: Uint8Array;
  readonly overTcp: boolean;
  readonly query: Uint8Array;
  readonly queryLength: number;
  /** Offset after the question's name; 0: it could not be read. */
  readonly nameEnd: number;
  readonly response: Uint8Array;
  readonly milliseconds: number;
}

/** Gives the line, or undefined where this one is not to be logged. */
export type QueryLog = (logged: LoggedQuery) => string | undefined;

export function createQueryLog(settings: QueryLogSettings): QueryLog {
  let seen = 0;
  return (logged) => {
    const { response } = logged;
    const rcode = response.length >= 4 ? response[3] & 0x0f : -1;
    if (settings.rcodes.length > 0 && !settings.rcodes.includes(rcode)) return undefined;
    if (seen++ % settings.every !== 0) return undefined;
    return lineOf(logged, rcode);
  };
}

function lineOf(
  { client, overTcp, query, queryLength, nameEnd, response, milliseconds }: LoggedQuery,
  rcode: number,
): string {
  const id = queryLength >= 2 ? (query[0] << 8) | query[1] : 0;
  const type = nameEnd === 0 ? '-' : typeName((query[nameEnd] << 8) | query[nameEnd + 1]);
  const outcome = rcode < 0 ? 'dropped' : rcodeName(rcode);
  const from = client.length === 0 ? '-' : formatIp(client);
  const size = `${queryLength} ${response.length}`;
  return `${from} ${id} ${overTcp ? 'tcp' : 'udp'} ${nameOf(query, nameEnd)} ${type} ${outcome} ${size} ${milliseconds.toFixed(3)}ms`;
}

function nameOf(query: Uint8Array, nameEnd: number): string {
  if (nameEnd === 0) return '-';
  try {
    return formatName(query.subarray(12, nameEnd));
  } catch (error) {
    if (error instanceof NameError) return '-';
    throw error;
  }
}
