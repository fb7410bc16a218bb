// `queryLog`: which queries are logged, and how. The same settings switch it on and off in a running server.
import * as v from 'valibot';
import { RCODE } from '../../dns/types.ts';
import type { QueryLogSettings } from '../../plane/forward-settings.ts';
import { show } from '../../reading/problem.ts';
import { choice, expecting, integer, list, mapping, text, whichever } from '../../reading/shape.ts';
import { validate } from '../../reading/validate.ts';
import { absoluteName, domainName } from './names.ts';
import { clientNetwork } from './network.ts';

const FIELDS = [
  ...['remote', 'port', 'proto', 'name', 'type', 'class', 'size', 'rcode', 'rsize', 'duration', 'common', 'combined'],
  ...['local', '>id', '>opcode', '>rflags', '>do', '>bufsize'],
];

const format = text(
  'fields, or a text with fields such as {common}',
  "fields: structured; or a line in the format of CoreDNS's `log`, such as {common}, {combined} or {remote} {name} {type} {rcode}.",
  (value) => {
    const unknown = [...value.matchAll(/\{([^{}]*)\}/g)].map(([, field]) => field).find((field) => !isField(field));
    return unknown === undefined
      ? undefined
      : `unknown field {${show(unknown).slice(1, -1)}}: expected {${FIELDS.join('}, {')}}`;
  },
);

const isField = (field: string): boolean =>
  FIELDS.includes(field.startsWith('>') ? field.toLowerCase() : field) || field.startsWith('/');

const queryLogSchema = mapping(
  {
    every: v.optional(integer(1, 1_000_000_000, 'Log one of every N queries; 1: all.'), 1),
    rcodes: v.optional(
      list(
        choice(['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'], 'A response code.'),
        'Log only queries with these response codes; empty means all.',
      ),
      [],
    ),
    classes: v.optional(
      list(
        choice(['success', 'denial', 'error'], 'denial: NXDOMAIN or no records; error: any other code.'),
        'Log only responses of these classes; empty means all.',
      ),
      [],
    ),
    names: v.optional(
      list(domainName('a name', 'A name.'), 'Log only queries for names at or below these; empty means all.'),
      [],
    ),
    clients: v.optional(list(clientNetwork, 'Log only queries of clients in these networks; empty means all.'), []),
    format: v.optional(format, 'fields'),
  },
  'One log line per query.',
);

export const queryLogEntry = v.optional(
  v.pipe(
    whichever((input) => typeof input === 'boolean', v.boolean(expecting('true, false or a mapping')), queryLogSchema),
    v.description('Log queries: true for all, or settings.'),
  ),
  false,
);

export type QueryLogInput = v.InferOutput<typeof queryLogEntry>;

/** undefined: off. */
export function buildQueryLog(input: QueryLogInput): QueryLogSettings | undefined {
  if (input === false) return undefined;
  if (input === true) return { every: 1, rcodes: [], classes: [], names: [], networks: [], format: undefined };
  return {
    every: input.every,
    rcodes: input.rcodes.map((name) => RCODE[name]),
    classes: input.classes,
    names: input.names.map((name) => absoluteName(name)),
    networks: input.clients,
    format: input.format === 'fields' ? undefined : input.format,
  };
}

const requestSchema = v.strictObject({ queryLog: v.nullable(queryLogEntry, null), seconds: v.optional(v.number()) });

/** The query log of a running server: as in zones.yaml, or null for what zones.yaml has; for a while. */
export type QueryLogRequest = v.InferOutput<typeof requestSchema>;

/** The request, or the problem with it. */
export function readQueryLogRequest(value: unknown, maxSeconds: number): QueryLogRequest | string {
  const { output, problems } = validate(requestSchema, value);
  const [problem] = problems;
  if (problem !== undefined) return problem.message;
  const { seconds } = output;
  const fits = seconds === undefined || (seconds > 0 && seconds <= maxSeconds);
  return fits ? output : `seconds: expected more than 0, at most ${maxSeconds}`;
}
