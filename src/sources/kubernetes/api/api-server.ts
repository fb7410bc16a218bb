// One cluster's API server over HTTP: addresses and credentials by client-node's KubeConfig, the requests by node:http,
// since its Watch leaves no hold on connections (each watch its own TLS handshake, no timeout for the headers).
import http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { type Clock, setDeadline } from '../../../clock.ts';
import type { ClusterAccess } from '../../../config/config.ts';
import { isProtobuf, readStatusMessage } from '../protobuf/envelope.ts';
import { createCredentials } from './credentials.ts';
import { type Fields, fields } from './objects.ts';

export interface ApiServer {
  /**
   * GET; resolves when the headers of a 200 have been read, with the body unread. `accept`: media types, default JSON. Rejects with
   * ApiError for any other status, and with the error of the system or the credentials otherwise.
   */
  get(path: string, signal: AbortSignal, accept?: string): Promise<http.IncomingMessage>;
  /**
   * Sends an object (none for GET and DELETE) and resolves to the returned one. Rejects like `get`; a request without a
   * response may have been carried out.
   */
  exchange(method: Method, path: string, object: object | undefined, signal: AbortSignal): Promise<Fields>;
  /** Rereads kubeconfig and credentials before the next request, because the server rejected them. */
  forgetCredentials(): void;
  close(): void;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The server should have sent something or ended the watch by now. */
export class SilentConnection extends Error {
  override readonly name = 'SilentConnection';
}

/** The API server responded with a status other than 200. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(status: number, message: string, retryAfterMs = 0) {
    super(message);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Detects peers whose machine or network is gone; the deadline of list-and-watch detects those that hang. */
const KEEPALIVE_MS = 10_000;
const ERROR_BODY_BYTES = 64 * 1024;
/** etcd accepts 1.5 MiB; the API server adds managed fields. */
const OBJECT_BYTES = 8 * 1024 * 1024;
const IDLE_CONNECTION_MS = 60_000;
const JSON_TYPE = 'application/json';

export function connectApiServer(config: ClusterAccess, clock: Clock, headersTimeoutMs: number): ApiServer {
  const agents = [
    new http.Agent({ keepAlive: true, keepAliveMsecs: KEEPALIVE_MS, timeout: IDLE_CONNECTION_MS }),
    new https.Agent({ keepAlive: true, keepAliveMsecs: KEEPALIVE_MS, timeout: IDLE_CONNECTION_MS }),
  ] as const;
  const credentials = createCredentials(config);

  async function optionsFor(kubeConfig: KubeConfig, url: URL): Promise<https.RequestOptions> {
    const options: https.RequestOptions = {};
    await kubeConfig.applyToHTTPSOptions(options);
    // client-node makes a new agent a request. Ours keeps connections, and keeps those with other certificates apart;
    // only a proxy needs the agent that was made for it.
    if (kubeConfig.getCurrentCluster()?.proxyUrl === undefined) {
      options.agent = url.protocol === 'http:' ? agents[0] : agents[1];
    }
    return options;
  }

  async function ask(
    method: Method,
    path: string,
    object: object | undefined,
    signal: AbortSignal,
    accept = JSON_TYPE,
  ) {
    const kubeConfig = credentials.current();
    const url = new URL(`${kubeConfig.getCurrentCluster()!.server}${path}`);
    const options = await optionsFor(kubeConfig, url);
    signal.throwIfAborted();
    const body = object === undefined ? undefined : JSON.stringify(object);
    options.headers = { ...options.headers, accept };
    if (body !== undefined) {
      const length = String(Buffer.byteLength(body));
      const type = method === 'PATCH' ? 'application/merge-patch+json' : JSON_TYPE; // RFC 7386
      options.headers = { ...options.headers, 'content-type': type, 'content-length': length };
    }
    return requestHeaders(url, { ...options, method, signal }, body, clock, headersTimeoutMs);
  }

  return {
    async get(path, signal, accept) {
      const response = await ask('GET', path, undefined, signal, accept);
      if (response.statusCode === 200) return response;
      throw await readError(response);
    },
    async exchange(method, path, object, signal) {
      const response = await ask(method, path, object, signal);
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode > 299) throw await readError(response);
      return fields(JSON.parse((await readAll(response, OBJECT_BYTES)).toString()), 'the answer');
    },
    forgetCredentials: credentials.forget,
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

function requestHeaders(
  url: URL,
  options: https.RequestOptions,
  body: string | undefined,
  clock: Clock,
  timeoutMs: number,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'http:' ? http : https).request(url, options);
    const giveUp = () =>
      request.destroy(new SilentConnection(`no answer from ${url.host} within ${timeoutMs / 1000} s`));
    const timer = setDeadline(clock, giveUp, timeoutMs);
    request.on('socket', (socket) => void socket.setKeepAlive(true, KEEPALIVE_MS));
    request.on('response', (response) => {
      timer.cancel();
      resolve(response);
    });
    request.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
    request.end(body);
  });
}

async function readError(response: http.IncomingMessage): Promise<ApiError> {
  const status = response.statusCode ?? 0;
  const retryAfterSeconds = Number(response.headers['retry-after']);
  const retryAfterMs = retryAfterSeconds > 0 ? Math.min(retryAfterSeconds, 300) * 1000 : 0;
  return new ApiError(status, await readMessage(response, `HTTP ${status}`), retryAfterMs);
}

/** The message of the Status object with which the API server explains errors. */
async function readMessage(response: http.IncomingMessage, otherwise: string): Promise<string> {
  try {
    const body = await readAll(response, ERROR_BODY_BYTES);
    const message = isProtobuf(response.headers['content-type'])
      ? readStatusMessage(body)
      : (JSON.parse(body.toString()) as { message?: unknown }).message;
    return typeof message === 'string' ? message : otherwise;
  } catch {
    return otherwise; // the body is not a Status: only the status code is known
  }
}

async function readAll(response: http.IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the response of the API server is longer than ${maxBytes} bytes`);
  }
  return Buffer.concat(chunks);
}
