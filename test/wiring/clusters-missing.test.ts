import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/loading/load.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { EDE, RCODE, TYPE } from '../../src/dns/types.ts';
import { silentLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createControlPlane } from '../../src/wiring/control-plane.ts';
import { endpoint, service, slice } from '../support/cluster-objects.ts';
import { startFakeApiServer } from '../support/fake-api-server.ts';
import { edeOf } from '../support/forwarding.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

test('while the first cluster of a zone cannot be reached, the second one answers its services with EDE 3', async (t) => {
  const first = await startFakeApiServer();
  await first.close();
  const second = await startFakeApiServer();
  second.put('namespaces', { metadata: { name: 'default' } });
  second.put('services', service('web'));
  second.put('endpointslices', slice('web-1', 'web', [endpoint('10.0.0.1')]));
  const folder = await temporary();
  const file = join(folder, 'zones.yaml');
  const clusters = [first, second].map(({ kubeconfig }) => `{ kubeconfig: ${kubeconfig} }`).join(', ');
  await writeFile(file, `zones:\n  - { name: cluster.local, kubernetes: [${clusters}] }\n`);
  const loaded = await loadConfig(file);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const plane = createInProcessPlane();
  const control = await createControlPlane({
    ...{ config: loaded.config, plane, nameServerAddresses: [], clock: systemClock, random: () => 0 },
    ...{ log: silentLogger, metrics: createMetrics() },
  });
  t.after(async () => {
    await control.close();
    await second.close();
    await rm(folder, { recursive: true });
  });
  const ask = (name: string): Message => {
    const question = { name: parseName(`${name}.default.svc.cluster.local.`), type: TYPE.A, class: 1 };
    const edns = { version: 0, udpBytes: 1232, dnssecOk: false, options: [] };
    return parseMessage(plane.respond(composeMessage({ id: 1, questions: [question], edns }))!);
  };
  await control.state(loaded.config);
  await until(() => {
    const known = ask('web');
    return [known.rcode, known.answers.length, edeOf(known)];
  }, [RCODE.NOERROR, 1, EDE.STALE_ANSWER]);
  const unknown = ask('none');
  assert.deepEqual([unknown.rcode, edeOf(unknown)], [RCODE.SERVFAIL, EDE.NOT_READY]);
});
