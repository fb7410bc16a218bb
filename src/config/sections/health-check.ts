// `healthCheck`: the parameters of ECS with their names, defaults and semantics. All times are in seconds, as in ECS.
import * as v from 'valibot';
import { type Path, type Reporter, show } from '../../reading/problem.ts';
import { choice, expecting, flag, integer, list, mapping, seconds, text, whichever } from '../../reading/shape.ts';
import type { HealthCheck } from '../../registry/model.ts';
import { canonical, ipAddress } from './names.ts';

const COMMAND = '["CMD", program, argument, …] or ["CMD-SHELL", line]';
const HTTP_ONLY = ['path', 'host', 'expectedStatus', 'followRedirects', 'verifyCertificate'] as const;
const NETWORK_ONLY = ['address', 'port'] as const;
const DEFAULT_STATUS = [200, 399] as const;

const status = integer(100, 599, 'An HTTP status code.');

const entries = {
  type: choice(['http', 'https', 'tcp', 'exec'], 'An HTTP(S) request, a TCP connection, or a command.'),
  path: v.optional(
    text('a path such as "/health"', 'http(s): the path; default: /.', (value) =>
      /^\/[\x21-\x7e]*$/.test(value)
        ? undefined
        : `expected a path that begins with "/", without spaces, got ${show(value)}`,
    ),
  ),
  host: v.optional(
    text('a host name', 'http(s): the Host header and TLS server name; default: the address.', (value) =>
      /^[a-z0-9_.:[\]-]{1,255}$/i.test(value)
        ? undefined
        : `expected a host name such as "example.com", got ${show(value)}`,
    ),
  ),
  address: v.optional(ipAddress('any', "http(s), tcp: the address to check instead of the instance's own.")),
  port: v.optional(integer(1, 65_535, "http(s), tcp: the port to check; default: the instance's.")),
  expectedStatus: v.optional(
    v.pipe(
      whichever(
        Array.isArray,
        v.strictTuple([status, status], expecting('[lowest, highest] such as [200, 299], numbers')),
        status,
      ),
      v.description('http(s): the expected status code, or [lowest, highest]; default: [200, 399].'),
    ),
  ),
  followRedirects: v.optional(
    flag("http(s): follow up to 5 redirects, always to the instance's own address; default: false."),
  ),
  verifyCertificate: v.optional(
    flag('https: the certificate must be valid for `host`; default: false, as for kubelet probes.'),
  ),
  command: v.optional(
    v.pipe(
      whichever(
        (input) => typeof input === 'string',
        text('a shell line', 'Short for ["CMD-SHELL", line].'),
        list(text('text', 'A word of the command line.'), 'As in ECS.'),
      ),
      v.description(`exec: ${COMMAND}, as in ECS; a plain string is a CMD-SHELL line. Exit code 0 is healthy.`),
    ),
  ),
  interval: v.optional(seconds(1, 300, 'Seconds between checks (ECS: 5 to 300).')),
  timeout: v.optional(seconds(0.1, 60, 'Seconds until a check without a result fails (ECS: 2 to 60).')),
  retries: v.optional(integer(1, 10, 'Consecutive failures that make an instance UNHEALTHY.')),
  successes: v.optional(integer(1, 10, 'Consecutive successes that make an instance HEALTHY; default: 1, as in ECS.')),
  startPeriod: v.optional(
    seconds(0, 300, 'Seconds after the start during which failures do not count; a success ends it.'),
  ),
};

const DEFAULTS = { interval: 30, timeout: 5, retries: 3, startPeriod: 0 } as const;

const withDefaults = {
  ...entries,
  interval: v.optional(entries.interval.wrapped, DEFAULTS.interval),
  timeout: v.optional(entries.timeout.wrapped, DEFAULTS.timeout),
  retries: v.optional(entries.retries.wrapped, DEFAULTS.retries),
  startPeriod: v.optional(entries.startPeriod.wrapped, DEFAULTS.startPeriod),
};

export const healthCheckEntry = v.optional(
  mapping(withDefaults, 'The check that healthdns runs for each instance, with the parameters of ECS.'),
);
export const instanceHealthCheckEntry = v.optional(
  mapping({ ...entries, type: v.optional(entries.type) }, "Overrides of the service's healthCheck for this instance."),
);

type CheckInput = NonNullable<v.InferOutput<typeof instanceHealthCheckEntry>>;

/** The service's check with the overrides of the instance; undefined if neither has one. */
export function effectiveCheck(
  service: CheckInput | undefined,
  instance: CheckInput | undefined,
): CheckInput | undefined {
  return service && instance ? { ...service, ...instance } : (instance ?? service);
}

/** Cross-checks of one `healthCheck`, whole or an instance's overlay merged with its service's. */
export function checkHealthCheck(check: CheckInput, path: Path, reporter: Reporter): void {
  const at = (key: string) => [...path, key];
  if (check.type === undefined) {
    reporter.problem(path, '`type` is missing: expected one of http, https, tcp, exec');
    return;
  }
  const unused = [
    ...(check.type === 'http' || check.type === 'https' ? [] : HTTP_ONLY),
    ...(check.type === 'exec' ? NETWORK_ONLY : ['command' as const]),
  ].filter((key) => check[key] !== undefined);
  for (const key of unused)
    reporter.problem(at(key), `\`${key}\` has no effect on a check of type ${check.type}: remove it`);
  if (check.type === 'exec') checkCommand(check.command, path, reporter);
  if (Array.isArray(check.expectedStatus) && check.expectedStatus[0] > check.expectedStatus[1])
    reporter.problem(
      at('expectedStatus'),
      `\`expectedStatus\`: the lowest (${check.expectedStatus[0]}) is greater than the highest (${check.expectedStatus[1]})`,
    );
  const { timeout = DEFAULTS.timeout, interval = DEFAULTS.interval } = check;
  if (timeout > interval)
    reporter.warning(
      check.timeout === undefined ? path : at('timeout'),
      `\`timeout\` (${timeout} s) is longer than \`interval\` (${interval} s): a check that hangs delays the next one`,
    );
}

function checkCommand(command: CheckInput['command'], path: Path, reporter: Reporter): void {
  const problem = commandProblem(command);
  if (problem) reporter.problem(command === undefined ? path : [...path, 'command'], `\`command\`${problem}`);
}

function commandProblem(command: CheckInput['command']): string | undefined {
  if (command === undefined) return ` is missing: a check of type exec needs ${COMMAND}`;
  if (typeof command === 'string')
    return command.trim() === '' ? ': expected a shell line, got an empty text' : undefined;
  const [kind, ...words] = command;
  if (kind === 'NONE') return ': NONE switches the check off: remove `healthCheck` instead';
  if (kind !== 'CMD' && kind !== 'CMD-SHELL')
    return `: expected ${COMMAND}, got a list that begins with ${show(kind)}: put "CMD" in front`;
  if (words.length === 0 || words[0].trim() === '') return `: nothing to run after "${kind}"; expected ${COMMAND}`;
  if (kind === 'CMD-SHELL' && words.length > 1)
    return `: "CMD-SHELL" takes one line, got ${words.length} texts; use "CMD" for separate arguments`;
  return undefined;
}

/** A check without problems → the model's. */
export function buildHealthCheck(check: CheckInput): HealthCheck {
  const { type, expectedStatus, command, address, path, ...rest } = check;
  const http = type === 'http' || type === 'https';
  const range = typeof expectedStatus === 'number' ? ([expectedStatus, expectedStatus] as const) : expectedStatus;
  return {
    ...DEFAULTS,
    ...rest,
    type: type!,
    ...(address === undefined ? {} : { address: canonical(address) }),
    ...(http ? { path: path ?? '/', expectedStatus: range ?? DEFAULT_STATUS } : {}),
    ...(command === undefined ? {} : { command: typeof command === 'string' ? ['CMD-SHELL', command] : command }),
  };
}
