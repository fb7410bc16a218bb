// Requests to an admin address with TLS: fetch has neither client certificates nor authorities of its own.
import { readFileSync } from 'node:fs';
import { CommandError } from './exit-code.ts';

/** In every command; paths of PEM files. */
const VARIABLES = { ca: 'HEALTHDNS_CA_FILE', cert: 'HEALTHDNS_CERT_FILE', key: 'HEALTHDNS_KEY_FILE' } as const;

export const hasClientTls = (): boolean => Object.values(VARIABLES).some((name) => process.env[name] !== undefined);

/** As fetch. */
export function fetchWithCertificate(url: URL, { method, headers, body, signal }: RequestInit): Promise<Response> {
  const options = {
    ...readFiles(),
    method: method ?? 'GET',
    headers: headers as Record<string, string>,
    signal: signal!,
  };
  return new Promise((resolve, reject) => {
    const { request } = process.getBuiltinModule('node:https');
    const sent = request(url, options, (response) => {
      process
        .getBuiltinModule('node:stream/consumers')
        .buffer(response)
        .then((bytes) => {
          const { statusCode: status = 0, headers: received } = response;
          const pairs = Object.entries(received).map(([name, value]): [string, string] => [name, String(value)]);
          resolve(new Response(status === 204 ? null : bytes, { status, headers: pairs }));
        }, reject);
    });
    sent.once('error', reject);
    sent.end(body ?? undefined);
  });
}

function readFiles(): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const files = Object.entries(VARIABLES).flatMap(([option, variable]) => {
    const file = process.env[variable];
    if (file === undefined) return [];
    try {
      return [[option, readFileSync(file)]];
    } catch (error) {
      throw new CommandError(`${variable}: ${(error as Error).message}`);
    }
  });
  return Object.fromEntries(files);
}
