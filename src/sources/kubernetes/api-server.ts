// One cluster's API server over HTTP: addresses and credentials by client-node's KubeConfig, the requests by node:http,
// since its Watch leaves no hold on connections (each watch its own TLS handshake, no timeout for the headers).
import http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../clock.ts';
import type { KubernetesConfig } from '../../config/config.ts';
import { createCredentials } from './credentials.ts';

export interface ApiServer {
  /**
   * GET; resolves with a 200's headers read and its body unread. Rejects with ApiError for any other status, and with
   * the error of the system or the credentials otherwise.
   */
  get(path: string, signal: AbortSignal): Promise<http.IncomingMessage>;
  /** Reads kubeconfig and credentials again before the next request: the server did not accept them. */
  forgetCredentials(): void;
  close(): void;
}

/** The server should have spoken or ended the watch by now, and has not. */
export class SilentConnection extends Error {
  override readonly name = 'SilentConnection';
}

/** The API server answered, and not with 200. */
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

/** Finds peers whose machine or network is gone; one that only hangs is found by list-and-watch's deadline. */
const KEEPALIVE_MS = 10_000;
const ERROR_BODY_BYTES = 64 * 1024;
const IDLE_CONNECTION_MS = 60_000;

export function connectApiServer(config: KubernetesConfig, clock: Clock, headersTimeoutMs: number): ApiServer {
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

  return {
    async get(path, signal) {
      const kubeConfig = credentials.current();
      const url = new URL(`${kubeConfig.getCurrentCluster()!.server}${path}`);
      const options = await optionsFor(kubeConfig, url);
      signal.throwIfAborted();
      const response = await requestHeaders(url, { ...options, signal }, clock, headersTimeoutMs);
      if (response.statusCode === 200) return response;
      throw await readError(response);
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
  clock: Clock,
  timeoutMs: number,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'http:' ? http : https).get(url, options);
    const timer = clock.setTimeout(() => {
      request.destroy(new SilentConnection(`no answer from ${url.host} within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    request.on('socket', (socket) => void socket.setKeepAlive(true, KEEPALIVE_MS));
    request.on('response', (response) => {
      timer.cancel();
      resolve(response);
    });
    request.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
  });
}

async function readError(response: http.IncomingMessage): Promise<ApiError> {
  const status = response.statusCode ?? 0;
  const retryAfterSeconds = Number(response.headers['retry-after']);
  const retryAfterMs = retryAfterSeconds > 0 ? Math.min(retryAfterSeconds, 300) * 1000 : 0;
  return new ApiError(status, await readMessage(response, `HTTP ${status}`), retryAfterMs);
}

/** The message of the Status object that the API server explains its refusals with. */
async function readMessage(response: http.IncomingMessage, otherwise: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > ERROR_BODY_BYTES) break;
    }
    const { message } = JSON.parse(Buffer.concat(chunks).toString()) as { message?: unknown };
    return typeof message === 'string' ? message : otherwise;
  } catch {
    return otherwise; // the body is no Status: the status code is all there is to say
  }
}
