// The commands. Each is loaded when it runs, so that start-up compiles only what it needs.
import { Command, CommanderError, Option } from 'commander';
import { systemClock } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import { untilLoaded } from '../plane/waiting-thread.ts';
import { parseQueryWords, QUERY_DEFAULTS, UsageError } from '../query/words.ts';
import type { ServiceRegistry } from '../taskdef/deployment.ts';
import { VERSION } from '../version.ts';
import {
  collectAddresses,
  collectRegistries,
  parseAddress,
  parseCount,
  parseDnsServer,
  parseEcsName,
  parseKubernetesNamespace,
  parseLiveAddress,
  parseSeconds,
  parseThreads,
  parseWhole,
  readText,
} from './arguments.ts';
import { flushCache, listCache } from './cache.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { explain, explainConfig } from './explain.ts';
import { addOperatingCommands } from './operate.ts';
import { hintsFor } from './query-hint.ts';
import type { ServeOptions } from './serve.ts';
import { httpOption, tokenOption } from './server-options.ts';
import type { ServerFlags } from './server-request.ts';
import type { ShadowOptions } from './shadow.ts';
import { processSignals } from './signals.ts';

const output = {
  out: (line: string) => void process.stdout.write(`${line}\n`),
  err: (line: string) => void process.stderr.write(`${line}\n`),
};

/** Known to the entry point only. */
let entry: Pick<ServeOptions, 'waitingThread' | 'loadThreadUrl'>;
/** Set by the command that ran. */
let isServing = false;
/** How long a stopped server waits for the readers of its output. */
const FLUSH_MS = 1_000;
let exitCode: number = EXIT.OK;

export const program = new Command('healthdns')
  .description(
    'An authoritative DNS server for Kubernetes that answers only with live instances and explains every answer.',
  )
  .version(VERSION, '-V, --version')
  .showSuggestionAfterError()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`healthdns: ${oneLine(text)}\n`) })
  .addHelpText(
    'after',
    `
Exit codes: 0 success; 1 failure; 2 invalid command line; for others see healthdns COMMAND --help

Examples:
  healthdns check zones.yaml
  healthdns serve zones.yaml
  healthdns query api.production.local @127.0.0.1:1053
  healthdns explain api.production.local`,
  );

program
  .command('serve')
  .summary('answer DNS queries')
  .description('Serves the zones of a configuration file over UDP and TCP.')
  .argument('[file]', 'configuration', 'zones.yaml')
  .option(
    '--listen <addr:port>',
    'serve DNS here, instead of the listen addresses of the file (repeatable)',
    collectAddresses,
  )
  .option(
    '--http <addr:port>',
    'serve health, ready and metrics here, instead of the http address of the file',
    parseAddress,
  )
  .option(
    '--admin <addr:port>',
    'serve explain, page, cache and Cloud Map here, instead of the admin address of the file',
    parseAddress,
  )
  .option('--threads <n>', 'data threads: a number or "auto"', parseThreads)
  .addOption(
    new Option('--log-level <level>', 'least severe level that is logged').choices([
      'debug',
      'info',
      'warn',
      'error',
      'silent',
    ]),
  )
  .option('--watch', 'reload when the file changes, as when a mounted ConfigMap is updated')
  .addHelpText(
    'after',
    `
Signals: SIGTERM and SIGINT shut down gracefully, a second one exits immediately; SIGHUP reloads the file.
Exit codes: 0 stopped by a signal; 1 the file is invalid, or an address is not available; 2 invalid command line

Examples:
  healthdns serve zones.yaml
  healthdns serve zones.yaml --listen 0.0.0.0:53 --listen '[::]:53' --http 0.0.0.0:8053 --threads auto
  kill -HUP PID    # reload zones.yaml; an invalid file changes nothing`,
  )
  .action(async (file: string, options: ServeFlags) => {
    const settings = {
      file,
      listen: options.listen,
      http: options.http,
      admin: options.admin,
      threads: options.threads,
      logLevel: options.logLevel,
      watch: options.watch === true,
      ...entry,
    };
    isServing = true;
    const { serve } = await import('./serve.ts');
    exitCode = await serve(settings, output, processSignals());
  });

program
  .command('node')
  .summary("answer a node's queries from subscribed records")
  .description(
    'Answers the queries of one node: names in the zones of the replicas from subscribed records (DNS Push, RFC 8765), other names by forwarding.',
  )
  .requiredOption('--config <file>', 'configuration of the agent')
  .addHelpText(
    'after',
    `
Signals: SIGTERM and SIGINT shut down gracefully; a second agent may listen on the same addresses meanwhile.
Exit codes: 0 stopped by a signal; 1 the file is invalid, or an address is not available; 2 invalid command line

Example:
  healthdns node --config node.yaml`,
  )
  .action((options: { readonly config: string }) => {
    // The entry point has already handled the usual spelling.
    throw new CommandError(`write it as: healthdns node --config ${options.config}`, EXIT.USAGE);
  });

program
  .command('check')
  .summary('validate a configuration file')
  .description('Validates a configuration file: reports every problem, or what the file would serve.')
  .argument('[file]', 'configuration', 'zones.yaml')
  .option('--node', 'it is the file of healthdns node')
  .addHelpText(
    'after',
    '\nExit codes: 0 valid; 1 problems, each as FILE:LINE:COLUMN; 2 invalid command line\n\nExamples:\n  healthdns check zones.yaml\n  healthdns check --node node.yaml',
  )
  .action(async (file: string, { node = false }: { readonly node?: boolean }) => {
    const { check, checkNode } = await import('../config/loading/check.ts');
    exitCode = await (node ? checkNode : check)(file, output);
  });

program
  .command('migrate')
  .summary("convert CoreDNS's or kube-dns's configuration to zones.yaml")
  .description(
    'Converts a Corefile, or a ConfigMap that contains one or configures kube-dns, to zones.yaml, and reports on each line.',
  )
  .argument('[file]', 'Corefile, or ConfigMap in YAML or JSON; - reads stdin', 'Corefile')
  .option('-o, --output <file>', 'write zones.yaml here instead of to stdout')
  .option('--keep-env', 'keep {$NAME} instead of filling in the environment')
  .option('--cluster-domain <domain>', "the cluster's domain, for kube-dns", 'cluster.local')
  .addOption(
    new Option('--report <format>', 'format of the report on stderr').choices(['text', 'json']).default('text'),
  )
  .addHelpText(
    'after',
    `
Exit codes: 0 all answers stay the same; 1 nothing could be read; 2 invalid command line; 3 some answers will differ;
            4 something has no equivalent, or must be corrected

Examples:
  kubectl -n kube-system get configmap coredns -o yaml | healthdns migrate - -o zones.yaml
  healthdns migrate /etc/coredns/Corefile -o zones.yaml
  kubectl -n kube-system get configmap coredns coredns-custom -o yaml | healthdns migrate -`,
  )
  .action(async (file: string, options: MigrateFlags) => {
    const settings = {
      file,
      text: await readText(file),
      output: options.output,
      clusterDomain: options.clusterDomain,
      keepEnvironment: options.keepEnv === true,
      report: options.report,
    };
    const { migrate } = await import('../migrate/migrate.ts');
    exitCode = await migrate(settings, { ...output, variable: (name) => process.env[name] });
  });

program
  .command('shadow')
  .summary('ask CoreDNS and healthdns the same questions, and report the differences')
  .description(
    'Asks CoreDNS and healthdns the questions of a capture, a dnstap stream or a query log, and reports how the answers differ.',
  )
  .argument(
    '[file...]',
    'pcap, pcapng, dnstap, query log of CoreDNS or healthdns, or lines NAME [TYPE]; gzipped or not; - reads stdin',
  )
  .requiredOption('--against <server>', 'ADDRESS[:PORT] of CoreDNS', parseDnsServer)
  .option('--server <server>', 'ADDRESS[:PORT] of healthdns', parseDnsServer, { server: '127.0.0.1', port: 1053 })
  .option('--kubeconfig <file>', "read the cluster's objects, to distinguish differences caused by health from faults")
  .option('--context <name>', 'context of the kubeconfig')
  .option('--cluster-domain <domain>', "the cluster's domain", 'cluster.local')
  .addOption(
    new Option('--pods <mode>', 'option `pods` of both servers')
      .choices(['disabled', 'insecure', 'verified'])
      .default('insecure'),
  )
  .option(
    '--live <address>',
    'receive questions as they are asked, by dnstap: ADDRESS:PORT or unix:PATH',
    parseLiveAddress,
  )
  .option('--for <seconds>', 'stop reading after this time', parseWhole(1, 604_800))
  .option('--port <port>', 'port of the DNS servers in captures', parseWhole(1, 65_535), 53)
  .option('--rate <questions>', 'maximum questions per second to each server', parseWhole(1, 1_000_000), 5_000)
  .option('--again <seconds>', 'repeat questions with unexplained differences after this time', parseWhole(0, 3_600), 2)
  .option('--examples <n>', 'number of examples to show', parseWhole(0, 1_000), 10)
  .option('--json', 'print JSON')
  .addHelpText(
    'after',
    `
Repeated questions are sent once a minute and counted. Ctrl-C ends the input and prints the report.

Exit codes: 0 every difference is documented; 1 a server or file could not be read; 2 invalid command line;
            3 answers differ without a documented reason; 4 no such difference, but the input is damaged or empty

Examples:
  tcpdump -i any -w - port 53 | healthdns shadow - --against 10.96.0.10 --kubeconfig ~/.kube/config
  kubectl -n kube-system logs -f deploy/coredns | healthdns shadow - --against 10.96.0.10
  healthdns shadow --live 127.0.0.1:6000 --for 600 --against 10.96.0.10    # dnstap tcp://127.0.0.1:6000 full`,
  )
  .action(async (files: string[], flags: ShadowFlags) => {
    if ((files.length === 0) === (flags.live === undefined))
      throw new CommandError('expected either files (- for stdin) or --live', EXIT.USAGE);
    const { rate, again, for: forSeconds, json, ...rest } = flags;
    const options = { ...rest, files, perSecond: rate, againSeconds: again, forSeconds, json: json === true };
    const { compareServers } = await import('./shadow.ts');
    exitCode = await compareServers(options, { ...output, onStop: processSignals().onStop });
  });

program
  .command('query')
  .summary('query a DNS server')
  .description('Sends one query to a DNS server and prints the reply in the style of dig.')
  .argument('<name>', 'domain name, or an IP address for its PTR record')
  .argument('[words...]', 'TYPE (A), and @SERVER[:PORT] (@127.0.0.1:1053)')
  .option('--tcp', 'use TCP; otherwise UDP, and TCP if the reply is truncated')
  .addOption(new Option('--json', 'print JSON').conflicts('short'))
  .option('--short', 'print only the data of the answer records')
  .option('--timeout <seconds>', 'time to wait for each attempt', parseSeconds, QUERY_DEFAULTS.timeoutMs / 1000)
  .option('--no-edns', 'do not use EDNS: no extended errors, UDP replies of at most 512 bytes')
  .addHelpText(
    'after',
    `
Exit codes: 0 answered; 1 SERVFAIL, REFUSED or another error; 2 invalid command line;
            3 NXDOMAIN or no record of this type; 9 no reply

If the name does not exist, similar names are requested from the HTTP address of the server (HEALTHDNS_HTTP).

Examples:
  healthdns query api.production.local
  healthdns query _http._tcp.api.production.local SRV @127.0.0.1:1053 --tcp
  healthdns query kubernetes.default.svc.cluster.local AAAA @10.96.0.10 --json`,
  )
  .action(async (name: string, words: string[], flags: QueryFlags) => {
    const format = flags.json === true ? 'json' : flags.short === true ? 'short' : 'text';
    const settings = { ...QUERY_DEFAULTS, tcp: flags.tcp === true, edns: flags.edns, timeoutMs: flags.timeout * 1000 };
    const asked = { ...settings, ...parseQueryWords([name, ...words]) };
    const { query } = await import('../query/query.ts');
    exitCode = await query({ ...asked, format }, { out: output.out, error: output.err, clock: systemClock });
    const hints = exitCode === EXIT.UNKNOWN_NAME ? await hintsFor(asked.name, asked.server, process.env) : [];
    for (const hint of hints) output.err(hint);
  });

program
  .command('taskdef')
  .description('Works with Amazon ECS task definitions.')
  .command('convert')
  .summary('convert an ECS task definition to a Kubernetes Deployment')
  .description(
    'Converts an ECS task definition to a Kubernetes Deployment whose probes are equivalent to its health checks.',
  )
  .argument('<file>', 'task definition as JSON, or - for stdin')
  .requiredOption('--service <name>', 'name of the ECS service', parseEcsName)
  .option('--count <n>', 'desired count', parseCount, 1)
  .option('--cluster <name>', 'name of the ECS cluster', parseEcsName, 'default')
  .option('--namespace <name>', 'Kubernetes namespace', parseKubernetesNamespace)
  .option('--registry <arn[:container:port]>', 'Cloud Map service (repeatable)', collectRegistries, [])
  .option('--json', 'print JSON rather than YAML')
  .addHelpText(
    'after',
    `
Exit codes: 0 converted (warnings on stderr); 1 invalid definition, each problem with its path; 2 invalid command line

Example:
  healthdns taskdef convert task.json --service web --count 3 | kubectl apply -f -`,
  )
  .action(async (file: string, flags: ConvertFlags) => {
    const text = await readText(file);
    const { json, registry, ...options } = flags;
    const format = json === true ? 'json' : 'yaml';
    const { convertTaskDefinition } = await import('../taskdef/convert.ts');
    const result = convertTaskDefinition(text, file, { ...options, registries: registry, format });
    process.stderr.write(result.stderr);
    process.stdout.write(result.stdout);
    exitCode = result.exitCode;
  });

program
  .command('explain')
  .summary('explain how a running server answers a name')
  .description('Asks a running server how it answers a name: the status, facts and deciding rule of each instance.')
  .argument('[name]', 'domain name, also a short one such as web.shop, or an IP address')
  .option('--config', 'instead of a name: show the configuration in force, and one that was refused')
  .addOption(httpOption())
  .addOption(tokenOption())
  .option('--history', 'how the answers have changed, and why')
  .option('--since <time>', 'the history since this time: 2h, 02:47, 2026-11-28T02:47Z')
  .option('--at <time>', 'the answers at this time')
  .option('--from <address>', 'explain for the pod with this address: its search path and rules')
  .option('--json', 'print JSON')
  .addHelpText(
    'after',
    `
Exit codes: 0 explained; 1 the server did not reply, or refused its configuration; 2 invalid command line; 3 the server does
not know the name

Examples:
  healthdns explain api.production.local
  healthdns explain api.production.local --history --since 2h
  healthdns explain api.production.local --at 02:47
  healthdns explain web.shop --from 10.1.2.3
  healthdns explain api.production.local --json --http http://10.0.0.10:8053
  healthdns explain --config`,
  )
  .action(async (name: string | undefined, { json, history, since, at, from, config, ...server }: ExplainFlags) => {
    if (config) {
      if (name !== undefined) throw new CommandError('--config takes no name', EXIT.USAGE);
      exitCode = await explainConfig(server, json === true, output.out);
      return;
    }
    if (name === undefined) throw new CommandError('missing argument: name (or --config)', EXIT.USAGE);
    const asked = {
      ...(since !== undefined && { since }),
      ...(at !== undefined && { at }),
      ...(from !== undefined && { from }),
    };
    exitCode = await explain({ name, server, json: json === true, history: history === true, ...asked }, output.out);
  });

const cache = program.command('cache').description('Lists or flushes the cache of external names of a running server.');
const cacheHelp = `
Exit codes: 0 success; 1 the server did not reply; 2 invalid command line

Examples:
  healthdns cache list example.com
  healthdns cache flush www.example.com
  healthdns cache flush --below example.com
  healthdns cache flush`;

cache
  .command('list')
  .description('Lists cached answers: name, remaining TTL, type, rcode, size.')
  .argument('[name]', 'only this name and the names below it')
  .addOption(httpOption())
  .addOption(tokenOption())
  .option('--json', 'print JSON')
  .addHelpText('after', cacheHelp)
  .action((name: string | undefined, flags: CacheFlags) =>
    listCache({ name, below: true, server: flags, json: flags.json === true }, output.out),
  );

cache
  .command('flush')
  .description('Removes one name, the names below it, or everything from the cache.')
  .argument('[name]', 'the name to remove; everything if omitted')
  .option('--below', 'also remove the names below it')
  .addOption(httpOption())
  .addOption(tokenOption())
  .option('--json', 'print JSON')
  .addHelpText('after', cacheHelp)
  .action((name: string | undefined, flags: CacheFlags) =>
    flushCache({ name, below: flags.below === true, server: flags, json: flags.json === true }, output.out),
  );

addOperatingCommands(program, {
  out: output.out,
  finish: (code) => {
    exitCode = code;
  },
});

program
  .command('version')
  .description('Prints the version.')
  .action(() => output.out(VERSION));

interface ServeFlags {
  readonly listen?: ListenAddress[];
  readonly http?: ListenAddress;
  readonly admin?: ListenAddress;
  readonly threads?: number | 'auto';
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly watch?: boolean;
}

interface MigrateFlags {
  readonly output?: string;
  readonly keepEnv?: boolean;
  readonly clusterDomain: string;
  readonly report: 'text' | 'json';
}

interface ExplainFlags extends ServerFlags {
  readonly json?: boolean;
  config?: boolean;
  readonly history?: boolean;
  readonly since?: string;
  readonly at?: string;
  readonly from?: string;
}

interface ShadowFlags extends Omit<ShadowOptions, 'files' | 'perSecond' | 'againSeconds' | 'forSeconds' | 'json'> {
  readonly rate: number;
  readonly again: number;
  readonly for?: number;
  readonly json?: boolean;
}

interface CacheFlags extends ServerFlags {
  readonly json?: boolean;
  readonly below?: boolean;
}

interface QueryFlags {
  readonly tcp?: boolean;
  readonly json?: boolean;
  readonly short?: boolean;
  readonly timeout: number;
  readonly edns: boolean;
}

interface ConvertFlags {
  readonly service: string;
  readonly count: number;
  readonly cluster: string;
  readonly namespace?: string;
  readonly registry: ServiceRegistry[];
  readonly json?: boolean;
}

const oneLine = (text: string) => text.trim().replaceAll(/\s*\n\s*/g, ' ');

async function run(argv: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE; // Already reported.
    output.err(`healthdns: ${oneLine((error as Error).message)}`);
    if (process.env.HEALTHDNS_DEBUG === '1') output.err(String((error as Error).stack));
    if (error instanceof UsageError) return EXIT.USAGE;
    return error instanceof CommandError ? error.exitCode : EXIT.FAILED;
  }
}

export function runCommandLine(of: typeof entry): void {
  entry = of;
  // A reader that closed its end (`| head`) is not an error; and a server does not depend on its readers at all.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isServing) process.exit(error.code === 'EPIPE' ? EXIT.OK : EXIT.FAILED);
  });
  process.stderr.on('error', () => {});
  void run(process.argv).then(async (code) => {
    if (of.waitingThread !== undefined) await untilLoaded(of.waitingThread);
    // Exits explicitly: a handle leaked by a library must not keep a stopped server alive. Output is flushed first, which with a
    // pipe takes as long as its reader; a server does not wait for a reader that has stopped.
    if (isServing) setTimeout(() => process.exit(code), FLUSH_MS);
    process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
  });
}
