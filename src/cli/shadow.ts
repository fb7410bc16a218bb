// `healthdns shadow`: the same questions to CoreDNS and healthdns, and how their answers differ.
import { createReadStream } from 'node:fs';
import { systemClock } from '../clock.ts';
import { resolveServer } from '../query/words.ts';
import type { Question } from '../shadow/answers/question.ts';
import { emptyWorld, type PodMode, readWorld, type World } from '../shadow/cluster/world.ts';
import { type LiveAddress, listenForDnstap } from '../shadow/live.ts';
import { readQuestions } from '../shadow/questions/input.ts';
import { createNotes, type Notes } from '../shadow/questions/notes.ts';
import { formatReport, formatReportJson, type Report } from '../shadow/report.ts';
import { shadow } from '../shadow/shadow.ts';
import { type ApiServer, connectApiServer } from '../sources/kubernetes/api/api-server.ts';
import { CommandError, EXIT } from './exit-code.ts';

export interface ShadowOptions {
  /** Captures, dnstap files, query logs; - is stdin. */
  readonly files: readonly string[];
  readonly live: LiveAddress | undefined;
  readonly against: HostAndPort;
  readonly server: HostAndPort;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly clusterDomain: string;
  readonly pods: PodMode;
  readonly port: number;
  readonly perSecond: number;
  readonly againSeconds: number;
  readonly forSeconds: number | undefined;
  readonly examples: number;
  readonly json: boolean;
}

interface HostAndPort {
  readonly server: string;
  readonly port: number;
}

export interface ShadowOutput {
  out(line: string): void;
  err(line: string): void;
  /** Calls back when the user wants the report. */
  onStop(callback: () => void): void;
}

/** Resolves to the exit code. Throws CommandError, or UsageError for a server without an address. */
export async function compareServers(options: ShadowOptions, output: ShadowOutput): Promise<number> {
  const { clusterDomain, json, pods, perSecond, examples } = options;
  const zone = clusterDomain.endsWith('.') ? clusterDomain : `${clusterDomain}.`;
  const coreDns = await resolveServer(options.against.server, options.against.port);
  const healthdns = await resolveServer(options.server.server, options.server.port);
  const stop = new AbortController();
  output.onStop(() => stop.abort());
  if (options.forSeconds !== undefined) systemClock.setTimeout(() => stop.abort(), options.forSeconds * 1000);
  const cluster = connectCluster(options, zone);
  const source = await openSource(options);
  try {
    const againMs = options.againSeconds * 1000;
    const servers = { coreDns, healthdns, zone: zone.toLowerCase(), pods };
    const settings = { ...servers, perSecond, againMs, examples, echoes: options.live === undefined ? 0 : 2 };
    const deps = { clock: systemClock, readWorld: cluster.read, stop: stop.signal };
    const result = await shadow(source.questions, settings, deps);
    const report = { ...result, inputs: source.inputs, dropped: source.dropped() };
    output.out(json ? formatReportJson(report) : formatReport(report));
    for (const hint of hintsFor(report, cluster.isKnown)) output.err(`healthdns: ${hint}`);
    return exitCodeOf(report);
  } finally {
    cluster.close();
    await source.close();
  }
}

function exitCodeOf({ failure, tally, inputs }: Report): number {
  if (failure !== undefined) return EXIT.FAILED;
  if (tally.unexplained.count > 0) return EXIT.DIFFERENT;
  return inputs.some(({ notes }) => notes.damage !== undefined) || tally.asked === 0 ? EXIT.INCOMPLETE : EXIT.OK;
}

function hintsFor({ failure, tally, inputs }: Report, isClusterKnown: boolean): string[] {
  return [
    ...(failure === undefined ? [] : [failure]),
    ...inputs.flatMap(({ name, notes }) =>
      notes.damage === undefined ? [] : [`${name} ends early at ${notes.damage}`],
    ),
    ...(tally.asked === 0 && failure === undefined ? ['the input contains no question'] : []),
    ...(tally.unexplained.count > 0 && !isClusterKnown
      ? ['without --kubeconfig, differences made by the health of pods cannot be told from faults']
      : []),
  ];
}

interface Source {
  readonly questions: AsyncIterable<Question>;
  readonly inputs: readonly { readonly name: string; readonly notes: Notes }[];
  dropped(): number;
  close(): Promise<void>;
}

async function openSource({ files, live, port }: ShadowOptions): Promise<Source> {
  if (live !== undefined) {
    const notes = createNotes();
    const listening = await listenForDnstap(live, notes).catch((error: Error) => {
      throw new CommandError(`--live: ${error.message}`);
    });
    return { ...listening, inputs: [{ name: live.path ?? `${live.host}:${live.port}`, notes }] };
  }
  const inputs = files.map((file) => ({ name: file === '-' ? 'stdin' : file, file, notes: createNotes() }));
  async function* questions() {
    for (const { file, name, notes } of inputs) {
      try {
        yield* readQuestions(file === '-' ? process.stdin : createReadStream(file), port, notes);
      } catch (error) {
        throw new CommandError(`cannot read ${name}: ${(error as Error).message}`);
      }
    }
  }
  // A stopped command does not wait for the rest of stdin.
  return { questions: questions(), inputs, dropped: () => 0, close: async () => void process.stdin.destroy() };
}

interface ClusterObjects {
  readonly isKnown: boolean;
  /** Throws CommandError. */
  read(): Promise<World>;
  close(): void;
}

const HEADERS_TIMEOUT_MS = 10_000;
const READ_TIMEOUT_MS = 120_000;

/** Without a kubeconfig, outside of a cluster, the objects are unknown. */
function connectCluster({ kubeconfig, context }: ShadowOptions, zone: string): ClusterObjects {
  const isKnown =
    kubeconfig !== undefined || context !== undefined || process.env.KUBERNETES_SERVICE_HOST !== undefined;
  if (!isKnown) return { isKnown, read: async () => emptyWorld(zone), close: () => {} };
  const server = connectApiServer({ label: 'shadow', kubeconfig, context }, systemClock, HEADERS_TIMEOUT_MS);
  return {
    isKnown,
    async read() {
      try {
        return await readWorld(zone, (path) => readList(server, path));
      } catch (error) {
        throw new CommandError(`cannot read the cluster's objects: ${(error as Error).message}`);
      }
    },
    close: server.close,
  };
}

const PAGE_OBJECTS = 500;
const MAX_PAGE_BYTES = 256 * 1024 * 1024;

async function* readList(server: ApiServer, path: string): AsyncGenerator<unknown> {
  for (let from = ''; ; ) {
    const query = new URLSearchParams({ limit: String(PAGE_OBJECTS), ...(from !== '' && { continue: from }) });
    const page = await readPage(server, `${path}?${query}`);
    yield* page.items ?? [];
    if (!page.metadata?.continue) return;
    from = page.metadata.continue;
  }
}

async function readPage(server: ApiServer, path: string) {
  const response = await server.get(path, AbortSignal.timeout(READ_TIMEOUT_MS));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_PAGE_BYTES) throw new Error(`${path}: a page is longer than ${MAX_PAGE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as {
    readonly items?: readonly unknown[];
    readonly metadata?: { readonly continue?: string };
  };
}
