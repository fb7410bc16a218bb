// One cluster's API server over HTTP: addresses and credentials by client-node's KubeConfig, the requests by node:http,
// since its Watch leaves no hold on connections (each watch its own TLS handshake, no timeout for the headers).
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../clock.ts';
import type { KubernetesConfig } from '../../config/config.ts';

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

/** No headers after this long means a server that accepts connections and does nothing (stopped, overloaded). */
const HEADERS_TIMEOUT_MS = 15_000;
/** Finds peers whose machine or network is gone; one that only hangs is found by list-and-watch's deadline. */
const KEEPALIVE_MS = 10_000;
const ERROR_BODY_BYTES = 64 * 1024;
const IDLE_CONNECTION_MS = 60_000;

export function connectApiServer(
  config: KubernetesConfig,
  clock: Clock,
  headersTimeoutMs = HEADERS_TIMEOUT_MS,
): ApiServer {
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
      request.destroy(new Error(`no answer from ${url.host} within ${timeoutMs / 1000} s`));
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

/** The kubeconfig, read again when it changed, so that rotated tokens and certificates are taken up. */
function createCredentials(config: KubernetesConfig): { current(): KubeConfig; forget(): void } {
  let loaded: { readonly kubeConfig: KubeConfig; readonly text: string } | undefined;
  return {
    current() {
      const text = config.kubeconfig === undefined ? '' : readFileSync(config.kubeconfig, 'utf8');
      // What an exec plugin or an identity provider gave is kept with its KubeConfig until it expires. All else (token
      // files, in-cluster tokens, certificates) is read from disk on loading, which costs a millisecond a connection.
      if (loaded === undefined || loaded.text !== text || !keepsCredentials(loaded.kubeConfig)) {
        loaded = { kubeConfig: loadKubeConfig(config), text };
      }
      return loaded.kubeConfig;
    },
    forget() {
      loaded = undefined;
    },
  };
}

/** Throws an Error that names the file or the context that is missing. */
export function loadKubeConfig(config: KubernetesConfig): KubeConfig {
  const kubeConfig = new KubeConfig();
  if (config.kubeconfig !== undefined) kubeConfig.loadFromFile(config.kubeconfig);
  else if (config.context === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined)
    kubeConfig.loadFromCluster();
  else kubeConfig.loadFromDefault();
  if (config.context !== undefined) kubeConfig.setCurrentContext(config.context);

  const file = config.kubeconfig ?? 'the default kubeconfig';
  if (kubeConfig.getContextObject(kubeConfig.getCurrentContext()) === null) {
    const known = kubeConfig.getContexts().map((context) => context.name);
    const wanted = config.context ?? kubeConfig.getCurrentContext();
    throw new Error(`${file} has no context "${wanted}" (it has ${known.length === 0 ? 'none' : known.join(', ')})`);
  }
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null)
    throw new Error(`${file}: context "${kubeConfig.getCurrentContext()}" names a cluster that is not there`);
  // client-node refuses plain http (`kubectl proxy`) unless told to skip a verification that plain http does not have.
  if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  return kubeConfig;
}

function keepsCredentials(kubeConfig: KubeConfig): boolean {
  const user = kubeConfig.getCurrentUser();
  const provider = user?.authProvider?.name;
  return Boolean(user?.exec) || (provider !== undefined && provider !== 'tokenFile');
}
