// An API server that misbehaves on demand, for faults that a real one cannot be made to show. Everything else is tested
// against a real one, in test/e2e.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface FakeApiServer {
  readonly kubeconfig: string;
  readonly port: number;
  /** "list services", "stream endpointslices", "watch pods": what was asked, in order. */
  readonly requests: readonly string[];
  /** Adds or replaces an object and tells the watches. Returns its resource version. */
  put(resource: string, object: FakeObject, type?: string): void;
  /** Takes an object away; without `silently` the watches are told. */
  remove(resource: string, name: string, silently?: boolean): void;
  /** Writes a line as it is to all watches of a resource. */
  line(resource: string, text: string): void;
  /** Pages of the resource's lists stop in the middle. */
  stall(resource: string, isStalled: boolean): void;
  /** All is as in a backup taken long ago: these are the objects of the resource, and versions count from 50 again. */
  goBack(resource: string, objects: readonly FakeObject[]): void;
  /** Ends all watches of a resource. */
  endWatches(resource: string): void;
  close(): Promise<void>;
}

export interface FakeObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

export interface FakeApiServerOptions {
  /** False: streaming lists are refused, as before Kubernetes 1.27. */
  readonly streamingLists?: boolean;
  /** Resources that do not exist (404). */
  readonly absent?: readonly string[];
  /** To those who would have protobuf; default: JSON, as they would have as well. */
  readonly protobuf?: 'refused' | 'broken';
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

export async function startFakeApiServer(options: FakeApiServerOptions = {}): Promise<FakeApiServer> {
  const objects = new Map<string, Map<string, FakeObject>>();
  const watches = new Map<string, Set<ServerResponse>>();
  const requests: string[] = [];
  const stalled = new Set<string>();
  let version = 100;

  const of = (resource: string) => objects.get(resource) ?? objects.set(resource, new Map()).get(resource)!;
  const watching = (resource: string) => watches.get(resource) ?? watches.set(resource, new Set()).get(resource)!;
  const write = (resource: string, text: string) => {
    for (const response of watching(resource)) response.write(`${text}\n`);
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://fake');
    const resource = url.pathname.split('/').at(-1)!;
    const isWatch = url.searchParams.get('watch') === '1';
    const streams = isWatch && url.searchParams.get('sendInitialEvents') === 'true';
    requests.push(`${streams ? 'stream' : isWatch ? 'watch' : 'list'} ${resource}`);
    const isProtobuf = options.protobuf !== undefined && request.headers.accept?.startsWith(PROTOBUF) === true;
    if (isProtobuf) requests.push(`protobuf ${resource}`);
    if (isProtobuf && options.protobuf === 'refused') return void refuse(response, 406, 'only JSON is served');
    if (isProtobuf) {
      response.writeHead(200, { 'content-type': `${PROTOBUF};stream=watch` });
      return void response.end(Buffer.from([0, 0, 0, 2, 0x0a, 9]));
    }
    if (options.absent?.includes(resource)) return void refuse(response, 404, 'the server could not find it');
    if (streams && options.streamingLists === false)
      return void refuse(response, 422, 'sendInitialEvents is forbidden');
    if (!isWatch) return void page(response, url, [...of(resource).values()], version, stalled.has(resource));
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    watching(resource).add(response);
    response.on('close', () => watching(resource).delete(response));
    if (!streams) return;
    for (const object of of(resource).values()) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    const metadata = { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } };
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata } })}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-fake-api-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const { port } = server.address() as { port: number };
  await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));

  return {
    kubeconfig,
    port,
    requests,
    put(resource, object, type = 'MODIFIED') {
      const metadata = { namespace: 'default', resourceVersion: String(++version), ...object.metadata };
      const stored = { ...object, metadata };
      of(resource).set(object.metadata.name, stored);
      write(resource, JSON.stringify({ type, object: stored }));
    },
    remove(resource, name, silently = false) {
      const object = of(resource).get(name);
      of(resource).delete(name);
      if (object === undefined || silently) return;
      const metadata = { ...object.metadata, resourceVersion: String(++version) };
      write(resource, JSON.stringify({ type: 'DELETED', object: { ...object, metadata } }));
    },
    line: write,
    stall: (resource, isStalled) => void (isStalled ? stalled.add(resource) : stalled.delete(resource)),
    goBack(resource, restored) {
      version = 50;
      of(resource).clear();
      for (const object of restored) {
        const metadata = { namespace: 'default', resourceVersion: String(version), ...object.metadata };
        of(resource).set(object.metadata.name, { ...object, metadata });
      }
    },
    endWatches(resource) {
      for (const response of watching(resource)) response.end();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

/** In pages of two, whatever the limit asked for: lists that fit in one page would test nothing. */
function page(
  response: ServerResponse,
  url: URL,
  all: readonly FakeObject[],
  version: number,
  isStalled: boolean,
): void {
  const start = Number(url.searchParams.get('continue') ?? 0);
  const next = start + 2 < all.length ? { continue: String(start + 2) } : {};
  const body = { metadata: { resourceVersion: String(version), ...next }, items: all.slice(start, start + 2) };
  response.writeHead(200, { 'content-type': 'application/json' });
  const text = JSON.stringify(body);
  if (isStalled) response.write(text.slice(0, text.length >> 1));
  else response.end(text);
}

function refuse(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ kind: 'Status', code, message }));
}

const kubeconfigFor = (server: string): string =>
  JSON.stringify({
    clusters: [{ name: 'fake', cluster: { server } }],
    users: [{ name: 'admin', user: { token: 'any' } }],
    contexts: [{ name: 'admin', context: { cluster: 'fake', user: 'admin' } }],
    'current-context': 'admin',
  });
