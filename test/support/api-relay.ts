// An HTTP relay in front of a real API server that misbehaves for one resource at a time, as overloaded servers, load balancers and
// networks do.
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import type { ControlPlane } from './control-plane.ts';
import { temporary } from './temporary.ts';

export const FAULTS = ['forbidden', 'error', 'throttled', 'cut', 'hang', 'silence'] as const;
/**
 * forbidden, error, throttled: 403, 500, 429 to all requests. cut: connections are reset. hang: requests are taken and not
 * answered, and watches that were open fall silent. silence: the same, but new requests get their headers.
 */
export type Fault = (typeof FAULTS)[number];

export interface ApiRelay {
  /** Its only context is "admin". */
  readonly kubeconfig: string;
  /** From now on; "*": for every resource. */
  fail(resource: string, fault: Fault): void;
  /** Requests are passed on again; those that hung are closed, unless they are to stay dead. */
  mend(staysDead?: boolean): void;
  close(): Promise<void>;
}

const STATUS = { forbidden: 403, error: 500, throttled: 429 } as const;

export async function startApiRelay(plane: ControlPlane): Promise<ApiRelay> {
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
  const open = new Map<ServerResponse, { readonly resource: string; readonly upstream: IncomingMessage }>();
  const held = new Set<ServerResponse>();
  let failing: { readonly resource: string; readonly fault: Fault } | undefined;
  const concerns = (resource: string) => failing?.resource === '*' || failing?.resource === resource;

  const server = createServer((request, response) => {
    const resource = new URL(request.url!, plane.url).pathname.split('/').at(-1)!;
    response.on('close', () => held.delete(response));
    if (concerns(resource)) return misbehave(failing!.fault, response);
    const { authorization, accept } = request.headers;
    const headers = { authorization, accept };
    const upstream = https.request(`${plane.url}${request.url}`, { agent, headers }, (answer) => {
      open.set(response, { resource, upstream: answer });
      response.writeHead(answer.statusCode!, { 'content-type': answer.headers['content-type'] });
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    upstream.on('error', () => response.destroy());
    upstream.end();
    response.on('close', () => {
      open.delete(response);
      upstream.destroy();
    });
  });

  function misbehave(fault: Fault, response: ServerResponse): void {
    if (fault === 'cut') return void response.destroy();
    if (fault === 'hang' || fault === 'silence') {
      held.add(response);
      if (fault === 'silence') response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      return;
    }
    const code = STATUS[fault];
    response.writeHead(code, { 'content-type': 'application/json', ...(code === 429 && { 'retry-after': '1' }) });
    response.end(JSON.stringify({ kind: 'Status', code, message: `made to fail: ${fault}` }));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await temporary();
  const kubeconfig = join(folder, 'kubeconfig');
  const { port } = server.address() as { port: number };
  const config = {
    clusters: [{ name: 'relay', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'admin', user: { token: plane.users[0].token } }],
    contexts: [{ name: 'admin', context: { cluster: 'relay', user: 'admin' } }],
    'current-context': 'admin',
  };
  await writeFile(kubeconfig, JSON.stringify(config));

  return {
    kubeconfig,
    fail(resource, fault) {
      failing = { resource, fault };
      for (const [response, { resource: of, upstream }] of open) {
        if (!concerns(of)) continue;
        if (fault !== 'hang' && fault !== 'silence') response.destroy();
        else {
          upstream.unpipe(response);
          upstream.resume();
          held.add(response);
        }
      }
    },
    mend(staysDead = false) {
      failing = undefined;
      if (!staysDead) for (const response of held) response.destroy();
    },
    async close() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}
