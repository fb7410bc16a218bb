// Plays kube-proxy for one Service: an address on loopback that leads to the process behind one of its ready endpoints.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { RestClient } from '../../support/rest-client.ts';

export interface ServiceRelay {
  readonly port: number;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 50;

/** `portOf`: of the process that plays the pod of that name. Follows the Service's slices. */
export async function relayService(
  client: RestClient,
  service: string,
  portOf: (pod: string) => number | undefined,
): Promise<ServiceRelay> {
  let target: number | undefined;
  const slices = `/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices?labelSelector=kubernetes.io/service-name=${service}`;
  const look = async () => {
    const { body } = await client.get(slices);
    const pods = body.items
      .flatMap((item: { endpoints: object[] | null }) => item.endpoints ?? [])
      .filter((one: { conditions: { ready: boolean } }) => one.conditions.ready)
      .map((one: { targetRef: { name: string } }) => portOf(one.targetRef.name))
      .filter((port: number | undefined) => port !== undefined);
    target = pods[0] ?? target;
  };
  await look();
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }, LOOK_EVERY_MS);

  const tcp = createServer((near) => {
    const far = connect(target ?? 1, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => near.destroy() && far.destroy());
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  /** One socket towards the pod for each client, as connection tracking has it; a new one after the target changed. */
  const flows = new Map<string, UdpSocket>();
  udp.on('message', (query, { address, port: from }) => {
    if (target === undefined) return;
    const key = `${from} ${target}`;
    let flow = flows.get(key);
    if (flow === undefined) {
      flow = createSocket('udp4');
      flow.on('message', (reply) => udp.send(reply, from, address));
      flow.on('error', () => {});
      flows.set(key, flow);
    }
    flow.send(query, target, '127.0.0.1');
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  return {
    port,
    async stop() {
      clearInterval(timer);
      await looking;
      tcp.close();
      udp.close();
      for (const flow of flows.values()) flow.close();
    },
  };
}
