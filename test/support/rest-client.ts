// The API server's REST interface, as much of it as tests use.
import https from 'node:https';

export interface RestResponse {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says; tests look at what they need
  readonly body: any;
}

export interface RestClient {
  get(path: string): Promise<RestResponse>;
  /** The following throw an Error with the server's message unless it answers 2xx. */
  create(path: string, object: object): Promise<RestResponse>;
  replace(path: string, object: object): Promise<RestResponse>;
  /** A merge patch. */
  patch(path: string, object: object): Promise<RestResponse>;
  /** Of a pod with grace only the wish is recorded: no kubelet is there to carry it out. */
  delete(path: string, graceSeconds?: number): Promise<RestResponse>;
  close(): void;
}

export function createRestClient(url: string, token: string): RestClient {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 48, rejectUnauthorized: false });

  function send(method: string, path: string, body?: object, contentType = 'application/json'): Promise<RestResponse> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
      const headers = { authorization: `Bearer ${token}`, 'content-type': contentType, ...length };
      const request = https.request(`${url}${path}`, { method, agent, headers, timeout: 20_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) }),
        );
      });
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer within 20 s`)));
      request.on('error', reject);
      request.end(text);
    });
  }

  async function change(method: string, path: string, body?: object, contentType?: string): Promise<RestResponse> {
    const response = await send(method, path, body, contentType);
    if (response.status < 300) return response;
    throw new Error(`${method} ${path}: HTTP ${response.status}: ${response.body?.message ?? response.body}`);
  }

  return {
    get: (path) => send('GET', path),
    create: (path, object) => change('POST', path, object),
    replace: (path, object) => change('PUT', path, object),
    patch: (path, object) => change('PATCH', path, object, 'application/merge-patch+json'),
    delete: (path, gracePeriodSeconds = 0) => change('DELETE', path, { gracePeriodSeconds }),
    close: () => agent.destroy(),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // /readyz and its like answer plain text
  }
}
