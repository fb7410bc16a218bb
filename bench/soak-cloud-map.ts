// Writes to the Cloud Map API of the soak: instances are registered and deregistered all the time, also while the disk of
// the store is full. What was acknowledged must be there at the end.
const TARGET = 'Route53AutoNaming_v20170314';
const INTERVAL_MS = 100;
/** More are deregistered, the oldest first. */
const KEPT = 200;

export interface Registrations {
  readonly acknowledged: () => number;
  readonly refused: () => number;
  stop(): Promise<void>;
  /** Acknowledged registrations that the API does not list, and deregistrations that it still lists. */
  missing(): Promise<number>;
}

export async function startRegistrations(http: string): Promise<Registrations> {
  await call(http, 'CreatePrivateDnsNamespace', { Name: 'registered.test', Vpc: 'vpc-soak' });
  const { Namespaces } = await call(http, 'ListNamespaces', {});
  const { Service } = await call(http, 'CreateService', {
    Name: 'web',
    NamespaceId: Namespaces[0].Id,
    DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] },
  });
  const kept = new Set<string>();
  /** A write without a reply may have been made or not. */
  const unsure = new Set<string>();
  let [next, acknowledged, refused, stopped] = [0, 0, 0, false];

  async function write(operation: string, id: string, attributes: object): Promise<boolean> {
    try {
      await call(http, operation, { ServiceId: Service.Id, InstanceId: id, ...attributes });
      acknowledged++;
      unsure.delete(id);
      return true;
    } catch {
      refused++;
      unsure.add(id);
      return false;
    }
  }

  const loop = (async () => {
    while (!stopped) {
      const number = next++;
      const address = `10.8.${(number >> 8) & 255}.${number & 255}`;
      if (await write('RegisterInstance', `i-${number}`, { Attributes: { AWS_INSTANCE_IPV4: address } }))
        kept.add(`i-${number}`);
      const [oldest] = kept;
      if (kept.size > KEPT && (await write('DeregisterInstance', oldest!, {}))) kept.delete(oldest!);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  })();

  return {
    acknowledged: () => acknowledged,
    refused: () => refused,
    stop: async () => {
      stopped = true;
      await loop;
    },
    async missing() {
      const listed = new Set<string>();
      let page: string | undefined;
      do {
        const reply = await call(http, 'ListInstances', { ServiceId: Service.Id, MaxResults: 100, NextToken: page });
        for (const { Id } of reply.Instances) listed.add(Id);
        page = reply.NextToken;
      } while (page !== undefined);
      const lost = [...kept].filter((id) => !listed.has(id) && !unsure.has(id));
      const back = [...listed].filter((id) => !kept.has(id) && !unsure.has(id));
      return lost.length + back.length;
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: replies have the shape that AWS documents.
async function call(http: string, operation: string, input: object): Promise<any> {
  const response = await fetch(`${http}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${TARGET}.${operation}` },
    body: JSON.stringify(input),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${operation}: ${response.status} ${text}`);
  return JSON.parse(text);
}
