// A server with 10,000 services for a browser to look at: some dead, some in part, some with hostile texts, an upstream server
// that is down. Its health changes when a test says so.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Serving, serving } from './command.ts';

export interface PageServer {
  readonly origin: string;
  readonly dnsPort: number;
  /** Reports the health of NAME-1, the first of two instances, as another system does. */
  report(name: string, status: 'HEALTHY' | 'UNHEALTHY', reason: string): Promise<void>;
  stop(): Promise<unknown>;
}

export const HOSTILE = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>\u202egnp.exe\u2066';

/** The whole output of the failed check of `hostile`: more than 64 KB, with everything that a page must not obey. */
const OUTPUT = `head -c 66000 /dev/zero | tr '\\0' x; printf '\\n%s\\033[2J\\001' '${HOSTILE}'; exit 1`;

const service = (name: string, more: string) =>
  `      - name: ${name}\n        externalHealth: { sources: [{ name: canary }], maxAgeSeconds: 3600 }\n${more}        instances:\n`;
const pair = (name: string, index: number) => {
  const [high, low] = [index >> 8, index & 255];
  return [1, 2].map((n) => `          - { id: ${name}-${n}, ipv4: 10.${n}.${high}.${low}, port: 8080 }\n`).join('');
};

function configuration(names: readonly string[]): string {
  const check = (text: string) => `        healthCheck: ${text}\n`;
  const tcp = '{ type: tcp, interval: 5, timeout: 1, retries: 1 }';
  const exec = JSON.stringify({ type: 'exec', command: ['CMD-SHELL', OUTPUT], interval: 5, timeout: 2, retries: 1 });
  return [
    'listen: ["127.0.0.1:0"]\nhttp: 127.0.0.1:0\nforward: [{ zone: ".", to: ["127.0.0.1:9"] }]\nzones:\n',
    '  - name: shop.test\n    names: ["{service}"]\n    services:\n',
    service('payments', check(tcp)),
    '          - { id: payments-1, ipv4: 127.0.0.1, port: 9 }\n          - { id: payments-2, ipv4: 127.0.0.1, port: 10 }\n',
    service('hostile', check(exec)),
    `          - { id: hostile-1, ipv4: 192.0.2.7, attributes: { note: ${JSON.stringify(HOSTILE)} } }\n`,
    service('cart', ''),
    ...[pair('cart', 60_000)],
    '  - name: prod.test\n    names: ["{service}"]\n    services:\n',
    ...names.map((name, index) => service(name, '') + pair(name, index)),
  ].join('');
}

/** `folder`: for its configuration. With a token, the page is on an address of its own. */
export async function startPageServer(folder: string, names: readonly string[], token?: string): Promise<PageServer> {
  const file = join(folder, token === undefined ? 'zones.yaml' : 'with-token.yaml');
  if (token !== undefined) await writeFile(join(folder, 'token'), token);
  const admin = token === undefined ? '' : 'admin: 0.0.0.0:0\nadminToken: token\n';
  await writeFile(file, admin + configuration(names));
  const server: Serving = serving([file]);
  const [, dns] = await server.shows(/DNS +127\.0\.0\.1:(\d+)/);
  const [, shown] = await server.shows(token === undefined ? /HTTP +(http:\/\/\S+)/ : /admin +(http:\/\/\S+)/);
  const origin = shown.replace('0.0.0.0', '127.0.0.1');
  return {
    ...{ origin, dnsPort: Number(dns) },
    async report(name, status, reason) {
      const body = { zone: 'shop.test', service: name, instance: `${name}-1`, source: 'canary', status, reason };
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${origin}/external-health`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      if (response.status !== 204) throw new Error(`${response.status} ${await response.text()}`);
    },
    stop: () => server.stop(),
  };
}

export const TEN_THOUSAND = Array.from({ length: 10_000 }, (_, index) => `s${String(index).padStart(5, '0')}`);
