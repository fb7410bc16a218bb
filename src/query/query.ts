// `healthdns query NAME [TYPE] [@server[:port]]`: one query, the reply in the style of dig or as JSON, a meaningful exit code.
import type { Clock } from '../clock.ts';
import { NameError, parseNameKeepingCase } from '../dns/name.ts';
import { composeQuery, NoReplyError, overTcp, overUdp, type QueryResult } from './exchange.ts';
import { formatJson, formatShort, formatText, type Outcome, outcomeOf } from './output.ts';
import { resolveServer, UsageError } from './words.ts';

/** Exit codes; 1 to 3 have the same meaning as for other commands. */
export const EXIT = {
  /** NOERROR with at least one record of the type asked for. */
  answered: 0,
  /** An rcode such as SERVFAIL or REFUSED; or an answer that is truncated even over TCP. */
  failed: 1,
  /** Invalid arguments; nothing was sent. */
  usage: 2,
  /** NOERROR without such a record (NODATA), or NXDOMAIN. */
  nothing: 3,
  /** No readable reply: timeout, port closed, garbage. As dig. */
  noReply: 9,
} as const;

const EXIT_OF: Record<Outcome, number> = {
  answer: EXIT.answered,
  nodata: EXIT.nothing,
  nxdomain: EXIT.nothing,
  truncated: EXIT.failed,
  error: EXIT.failed,
};

export interface QueryOptions {
  /** A domain name (always absolute). */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** IP address or host name. */
  readonly server: string;
  readonly port: number;
  /** Do not try UDP first. */
  readonly tcp: boolean;
  /** For each attempt, and for connecting and waiting over TCP. */
  readonly timeoutMs: number;
  /** Number of attempts over UDP. */
  readonly tries: number;
  /** Send OPT; without it there are no Extended DNS Errors, and UDP replies have at most 512 bytes. */
  readonly edns: boolean;
  readonly recursionDesired: boolean;
}

export interface QueryIo {
  /** Writes whole lines; the line break is added. */
  out(text: string): void;
  error(text: string): void;
  readonly clock: Clock;
}

export type QueryFormat = 'text' | 'short' | 'json';

/** Sends the query, prints the reply, and resolves to the exit code (EXIT). Never rejects because of network or arguments. */
export async function query(options: QueryOptions & { readonly format: QueryFormat }, io: QueryIo): Promise<number> {
  try {
    const result = await runQuery(options, io.clock);
    const format = { text: formatText, short: formatShort, json: formatJson }[options.format];
    const text = format(result);
    if (text !== '') io.out(text);
    return EXIT_OF[outcomeOf(result.message)];
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof NoReplyError)) throw error;
    io.error(`healthdns query: ${error.message}`);
    return error instanceof UsageError ? EXIT.usage : EXIT.noReply;
  }
}

/** One query and its reply; a truncated UDP reply is retried over TCP. Throws UsageError or NoReplyError. */
async function runQuery(options: QueryOptions, clock: Clock): Promise<QueryResult> {
  const question = { name: questionName(options.name), type: options.type, class: options.class };
  const server = await resolveServer(options.server, options.port);
  const query = composeQuery(question, options);
  const startMs = clock.monotonicMs();
  let reply = options.tcp ? await overTcp(query, server, options, clock) : await overUdp(query, server, options, clock);
  if (reply === 'truncated') reply = await overTcp(query, server, options, clock);
  return { ...reply, server, elapsedMs: clock.monotonicMs() - startMs };
}

function questionName(text: string): Uint8Array {
  try {
    return parseNameKeepingCase(text);
  } catch (error) {
    if (error instanceof NameError) throw new UsageError(error.message);
    throw error;
  }
}
