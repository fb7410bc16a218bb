// The commands that operate a running server: drain, undrain, force.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from './arguments.ts';
import { order } from './drain.ts';
import { httpOption, tokenOption } from './server-options.ts';
import type { ServerFlags } from './server-request.ts';

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
INSTANCE is an id, a hostname or an address, as \`explain\` prints them. A pod keeps the order as its annotation
healthdns.dev/health, so that every replica follows it and it is gone with the pod.

Exit codes: 0 DNS reflects it; 1 refused, or the server did not reply; 2 invalid command line;
            3 the server does not know the name or the instance

Examples:
  healthdns drain db.shop.svc.cluster.local db-0 --for 30m --reason 'replacing the disk'
  healthdns undrain db.shop.svc.cluster.local db-0
  healthdns force healthy api.production.local api-1 --for 10m --reason 'its check is broken'`;

export function addOperatingCommands(program: Command, surroundings: CommandSurroundings): void {
  const { out, finish } = surroundings;
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

  orderCommand(program.command('force'), 'answer an instance, or leave it out, whatever its health', (command) =>
    command.argument('<status>', 'healthy or unhealthy', parseStatus),
  )
    .addOption(reasonOption())
    .addOption(forOption())
    .action((status: 'HEALTHY' | 'UNHEALTHY', name: string, instance: string, flags: OrderFlags) =>
      run(status, name, instance, flags),
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

function parseStatus(word: string): 'HEALTHY' | 'UNHEALTHY' {
  if (word !== 'healthy' && word !== 'unhealthy') throw new InvalidArgumentError('expected healthy or unhealthy.');
  return word === 'healthy' ? 'HEALTHY' : 'UNHEALTHY';
}

const reasonOption = (): Option =>
  new Option('--reason <text>', 'why, for everyone who looks at it later').makeOptionMandatory();

const forOption = (): Option =>
  new Option('--for <duration>', 'how long, such as 90s, 30m or 2h; default: until it is withdrawn').argParser(
    parseDuration,
  );
