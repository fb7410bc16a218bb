// The commands that operate a running server: status, top, query-log, drain, undrain, force; and completion, made of all.
import { Argument, type Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { TOP_VIEWS } from '../plane/tally.ts';
import { parseDuration, parseWhole } from './arguments.ts';
import { completion, SHELLS, type Shell } from './completion.ts';
import { order } from './drain.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { manual } from './manual.ts';
import { queryLog } from './query-log.ts';
import { httpOption, tokenOption } from './server-options.ts';
import type { ServerFlags } from './server-request.ts';
import { status } from './status.ts';
import { wantsColour } from './table.ts';
import { top } from './top.ts';

export interface CommandSurroundings {
  readonly out: (line: string) => void;
  /** Ends the command with this exit code. */
  readonly finish: (exitCode: number) => void;
}

interface OrderFlags extends ServerFlags {
  readonly for?: number;
  readonly reason?: string;
  readonly json?: boolean;
}

const ORDER_HELP = `
INSTANCE is an id, a hostname or an address, as \`explain\` prints them. A pod stores the order as its annotation
healthdns.dev/health, so that every replica follows it and it is deleted with the pod.

Exit codes: 0 DNS reflects it; 1 refused, or the server did not reply; 2 invalid command line;
            3 the server does not know the name or the instance

Examples:
  healthdns drain db.shop.svc.cluster.local db-0 --for 30m --reason 'replacing the disk'
  healthdns undrain db.shop.svc.cluster.local db-0
  healthdns force healthy api.production.local api-1 --for 10m --reason 'its check is broken'`;

export function addOperatingCommands(program: Command, surroundings: CommandSurroundings): void {
  addOrderCommands(program, surroundings);
  addViewCommands(program, surroundings);
  addQueryLogCommand(program, surroundings);
  program
    .command('completion')
    .summary('print a completion script')
    .description('Prints a script that completes commands and options in a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(healthdns completion bash)
  healthdns completion zsh > "\${fpath[1]}/_healthdns"
  healthdns completion fish > ~/.config/fish/completions/healthdns.fish`,
    )
    .action((shell: Shell) => surroundings.out(completion(shell, program).trimEnd()));
  program.command('manual', { hidden: true }).action(() => surroundings.out(manual(program).trimEnd()));
}

interface StatusFlags extends ServerFlags {
  readonly json?: boolean;
  readonly output?: 'wide';
}

/** As the server gives. */
const MAX_LINES = 500;

interface TopFlags extends ServerFlags {
  readonly over: 'minute' | 'hour';
  readonly limit: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

function addViewCommands(program: Command, { out, finish }: CommandSurroundings): void {
  const isTerminal = process.stdout.isTTY === true;
  const inColour = wantsColour(isTerminal, process.env);
  program
    .command('status')
    .summary('show what is ready, and services in trouble')
    .description('Shows zones, sources, upstream servers, and services with instances that are not answered.')
    .addOption(new Option('-o, --output <format>', 'wide: more columns and all services in trouble').choices(['wide']))
    .addOption(httpOption())
    .addOption(tokenOption())
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 everything is ready; 1 a zone, a source or an upstream server is not, or the server did not reply;
            2 invalid command line

Examples:
  healthdns status
  healthdns status -o wide
  kubectl -n kube-system exec deploy/healthdns -- healthdns status`,
    )
    .action(async ({ json, output, ...server }: StatusFlags) =>
      finish(await status({ server, json: json === true, wide: output === 'wide', inColour }, out)),
    );

  program
    .command('top')
    .summary('show the most frequent names and clients')
    .description('Shows the most frequent names and clients: live on a terminal until Ctrl-C, otherwise once.')
    .addArgument(new Argument('[view]', 'what to show; default: everything').choices(TOP_VIEWS))
    .addOption(new Option('--over <period>', 'the last minute or hour').choices(['minute', 'hour']).default('minute'))
    .option('-n, --limit <n>', 'lines of each view', parseWhole(1, MAX_LINES), 10)
    .option('--once', 'print once, even on a terminal')
    .addOption(httpOption())
    .addOption(tokenOption())
    .option('--json', 'print JSON, once')
    .addHelpText(
      'after',
      `
Counts are estimated from a sample. Clients that are pods have their name.

Exit codes: 0 success; 1 the server did not reply, or does not count; 2 invalid command line

Examples:
  healthdns top
  healthdns top clients --over hour
  healthdns top nxdomain --once --limit 50`,
    )
    .action(async (view: string | undefined, { over, limit, once, json, ...server }: TopFlags) => {
      const live = isTerminal && once !== true && json !== true;
      finish(await top({ view, over, limit, server, json: json === true, live, inColour }, out, systemClock));
    });
}

interface QueryLogFlags extends ServerFlags {
  readonly name: string[];
  readonly client: string[];
  readonly rcode: string[];
  readonly class: string[];
  readonly every?: number;
  readonly format?: string;
  readonly for?: number;
  readonly json?: boolean;
}

const collect = (word: string, previous: readonly string[]): string[] => [...previous, word];

function addQueryLogCommand(program: Command, { out, finish }: CommandSurroundings): void {
  program
    .command('query-log')
    .summary('switch the query log on and off')
    .description(
      'Switches the query log of a running server on or off, or shows its state. Lines go to the log of the server.',
    )
    .addArgument(
      new Argument('[state]', 'configured: as in zones.yaml; default: show the state').choices([
        'on',
        'off',
        'configured',
      ]),
    )
    .option('--name <name>', 'only this name and names below it (repeatable)', collect, [])
    .option('--client <network>', 'only clients in this network, such as 10.0.0.0/8 (repeatable)', collect, [])
    .option('--rcode <rcode>', 'only responses with this code, such as NXDOMAIN (repeatable)', collect, [])
    .option('--class <class>', 'only this class: success, denial or error (repeatable)', collect, [])
    .option('--every <n>', 'one of every N queries', parseWhole(1, 1_000_000_000))
    .option('--format <format>', "fields, or a line in the format of CoreDNS's log such as {common}")
    .addOption(
      new Option('--for <duration>', 'return to the configured setting after this time; default: 10m').argParser(
        parseDuration,
      ),
    )
    .addOption(httpOption())
    .addOption(tokenOption())
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 success; 1 refused, or the server did not reply; 2 invalid command line

Examples:
  healthdns query-log on --name shop.svc.cluster.local --class error --for 5m
  healthdns query-log on --client 10.4.0.7 --format {common}
  healthdns query-log configured`,
    )
    .action(async (state: 'on' | 'off' | 'configured' | undefined, flags: QueryLogFlags) => {
      const {
        name: names,
        client: clients,
        rcode: rcodes,
        class: classes,
        every,
        format,
        for: seconds,
        json,
        ...server
      } = flags;
      const isFiltered = [names, clients, rcodes, classes].some((filter) => filter.length > 0) || every || format;
      if (state !== 'on' && isFiltered)
        throw new CommandError('filters and --format are for `query-log on`', EXIT.USAGE);
      if (state === undefined && seconds !== undefined)
        throw new CommandError('--for: expected on or off: `query-log on --for 10m`', EXIT.USAGE);
      const settings = {
        names,
        clients,
        rcodes: rcodes.map((rcode) => rcode.toUpperCase()),
        classes,
        ...(every && { every }),
        ...(format && { format }),
      };
      const queryLogOf = { on: settings, off: false, configured: null };
      const request = state && { queryLog: queryLogOf[state], ...(seconds !== undefined && { seconds }) };
      finish(await queryLog({ request, server, json: json === true }, out));
    });
}

function addOrderCommands(program: Command, { out, finish }: CommandSurroundings): void {
  const run = async (
    status: 'HEALTHY' | 'UNHEALTHY' | null,
    name: string,
    instance: string,
    { for: seconds, reason, json, ...server }: OrderFlags,
  ) => finish(await order({ name, instance, status, seconds, reason, server, json: json === true }, out));

  orderCommand(program.command('drain'), 'take an instance out of all answers')
    .addOption(reasonOption())
    .addOption(forOption())
    .action((name: string, instance: string, flags: OrderFlags) => run('UNHEALTHY', name, instance, flags));

  orderCommand(program.command('undrain'), 'withdraw the order of drain or force').action(
    (name: string, instance: string, flags: OrderFlags) => run(null, name, instance, flags),
  );

  orderCommand(
    program.command('force'),
    'include an instance in answers or leave it out, regardless of its health',
    (command) => command.addArgument(new Argument('<status>', 'status to force').choices(['healthy', 'unhealthy'])),
  )
    .addOption(reasonOption())
    .addOption(forOption())
    .action((forced: string, name: string, instance: string, flags: OrderFlags) =>
      run(forced === 'healthy' ? 'HEALTHY' : 'UNHEALTHY', name, instance, flags),
    );
}

function orderCommand(
  command: Command,
  summary: string,
  first: (command: Command) => Command = (same) => same,
): Command {
  return first(command.summary(summary).description(`${summary[0].toUpperCase()}${summary.slice(1)}.`))
    .argument('<name>', 'name of a service')
    .argument('<instance>', 'id, hostname or address of the instance')
    .addOption(httpOption())
    .addOption(tokenOption())
    .option('--json', 'print JSON')
    .addHelpText('after', ORDER_HELP);
}

const reasonOption = (): Option => new Option('--reason <text>', 'reason, shown to others').makeOptionMandatory();

const forOption = (): Option =>
  new Option('--for <duration>', 'how long, such as 90s, 30m or 2h; default: until it is withdrawn').argParser(
    parseDuration,
  );
