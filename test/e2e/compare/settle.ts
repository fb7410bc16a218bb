// When the cluster has come to rest and both servers have seen all of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { composeMessage, parseMessage } from '../../../src/dns/message/message.ts';
import { parseName } from '../../../src/dns/name.ts';
import { CLASS, RCODE, TYPE } from '../../../src/dns/types.ts';
import { askAll } from '../../../src/shadow/answers/ask.ts';
import { SERVICE_NAME } from '../../../src/shadow/cluster/objects.ts';
import type { RestClient } from '../../support/rest-client.ts';
import { paths, podStatus } from './objects.ts';
import type { DnsServer } from './servers.ts';

const QUIET_MS = 1_500;
const WITHIN_MS = 120_000;

/** Waits until controllers write no more, then until both servers have what was written last. */
export async function settle(
  client: RestClient,
  servers: readonly DnsServer[],
  podsAreWatched: boolean,
): Promise<void> {
  await quietControllers(client);
  const canary = `canary-${Date.now()}`;
  // Each kind of object comes in its own order: what was made last of each kind tells that all before has come.
  const { names, remove } = await makeCanaries(client, canary);
  const deadlineMs = Date.now() + WITHIN_MS;
  for (const server of servers) {
    for (const name of podsAreWatched ? names : names.slice(0, 1)) {
      while ((await rcodeOf(server, name)) !== RCODE.NOERROR) await patience(deadlineMs, `${server.name} at ${name}`);
    }
  }
  await remove();
  for (const server of servers) {
    for (const name of podsAreWatched ? names : names.slice(0, 1)) {
      while ((await rcodeOf(server, name)) !== RCODE.NXDOMAIN) await patience(deadlineMs, `${server.name} at ${name}`);
    }
  }
}

async function patience(deadlineMs: number, what: string): Promise<void> {
  if (Date.now() > deadlineMs) throw new Error(`${what} has not followed the cluster within two minutes`);
  await sleep(50);
}

/** EndpointSlices are what controllers write; they rest when no version changes for a while. */
async function quietControllers(client: RestClient): Promise<void> {
  const deadlineMs = Date.now() + WITHIN_MS;
  let before = '';
  for (;;) {
    const { items } = (await client.get('/apis/discovery.k8s.io/v1/endpointslices')).body;
    const versions = items.map((item: { metadata: { resourceVersion: string } }) => item.metadata.resourceVersion);
    const now = versions.sort().join();
    if (now === before) return;
    before = now;
    if (Date.now() > deadlineMs) throw new Error('the endpoint controllers do not come to rest');
    await sleep(QUIET_MS);
  }
}

async function makeCanaries(client: RestClient, name: string) {
  const namespace = 'default';
  const metadata = { name, namespace };
  const ip = `10.255.${Date.now() % 256}.${Math.floor(Math.random() * 256)}`;
  await client.create(paths.services(namespace), { metadata, spec: { clusterIP: 'None' } });
  await client.create(paths.slices(namespace), {
    metadata: { ...metadata, labels: { [SERVICE_NAME]: name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ip] }],
  });
  await client.create(paths.pods(namespace), { metadata, spec: { containers: [{ name: 'app', image: 'app' }] } });
  await client.patch(`${paths.pods(namespace)}/${name}/status`, podStatus([ip], true));
  return {
    names: [`${name}.default.svc.cluster.local`, `${ip.replaceAll('.', '-')}.default.pod.cluster.local`],
    async remove() {
      await client.delete(`${paths.slices(namespace)}/${name}`);
      await client.delete(`${paths.services(namespace)}/${name}`);
      await client.delete(`${paths.pods(namespace)}/${name}`);
    },
  };
}

export async function rcodeOf({ port }: Pick<DnsServer, 'port'>, name: string): Promise<number | undefined> {
  const question = { name: parseName(`${name}.`), type: TYPE.A, class: CLASS.IN };
  let rcode: number | undefined;
  const server = { address: '127.0.0.1', port, family: 4 } as const;
  await askAll({ server, transport: 'udp' }, [Buffer.from(composeMessage({ questions: [question] }))], (_, reply) => {
    rcode = reply && parseMessage(reply).rcode;
  });
  return rcode;
}
