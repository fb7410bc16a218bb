import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../src/config/loading/load.ts';

const load = (cloudMap: string) =>
  parseConfig(`http: 127.0.0.1:8053\ncloudMap: ${cloudMap}\nzones: [{ name: b.local }]`, '/etc/healthdns/zones.yaml');

async function cloudMap(text: string) {
  const result = await load(text);
  assert.ok(result.ok, JSON.stringify(result));
  assert.ok(result.config.cloudMap);
  return result.config.cloudMap;
}

async function problems(text: string): Promise<string[]> {
  const result = await load(text);
  return result.ok ? [] : result.problems.map(({ message }) => message);
}

describe('the configuration of cloudMap', () => {
  test('the Cloud Map API is disabled without the key cloudMap', async () => {
    const result = await parseConfig('zones: [{ name: b.local }]', 'zones.yaml');
    assert.ok(result.ok && !('cloudMap' in result.config));
  });

  test('cloudMap has the documented defaults', async () => {
    assert.deepEqual(await cloudMap('{}'), {
      writes: 'off',
      keys: [],
      region: 'us-east-1',
      account: '000000000000',
      store: { kind: 'memory' },
      tasks: [],
      policy: {
        whenAllUnhealthy: 'nodata',
        unknown: 'answer',
        publishNotReady: false,
        maxAnswers: 0,
        routing: 'multivalue',
      },
      healthCheckIntervalSeconds: 30,
      healthChecks: [],
      limits: { namespaces: 1000, servicesPerNamespace: 10_000, instancesPerService: 1000 },
    });
  });

  test('single services may have their own checks, including commands', async () => {
    const check = 'healthCheck: { type: exec, command: test -e x, interval: 1, timeout: 1 }';
    const { healthChecks } = await cloudMap(`{ healthChecks: [{ namespace: Shop.local., service: Web, ${check} }] }`);
    const [{ namespace, service, healthCheck }] = healthChecks;
    assert.deepEqual([namespace, service], ['shop.local', 'web']);
    assert.deepEqual([healthCheck.type, healthCheck.interval, healthCheck.retries], ['exec', 1, 3]);

    const twice = `{ healthChecks: [{ namespace: a, service: b, ${check} }, { namespace: A., service: B, ${check} }] }`;
    assert.deepEqual(await problems(twice), ['duplicate: service b of a has a check already']);
    const wrong = '{ healthChecks: [{ namespace: a, service: b, healthCheck: { type: exec, port: 80 } }] }';
    assert.equal((await problems(wrong)).length, 2);
    assert.match((await problems('{ healthChecks: [{ namespace: a, service: b }] }'))[0], /healthCheck/);
  });

  test('the store path is relative to the file', async () => {
    const { store } = await cloudMap('{ writes: loopback, store: { path: ./kept } }');
    assert.deepEqual(store, { kind: 'folder', path: '/etc/healthdns/kept' });
  });

  test('tasks come from the cluster of the store by default', async () => {
    const store = 'store: { kubernetes: { kubeconfig: k, context: west, namespace: Shop } }';
    const access = { kubeconfig: '/etc/healthdns/k', context: 'west', label: 'west' };
    const one = await cloudMap(`{ ${store} }`);
    assert.deepEqual(one.store, { kind: 'kubernetes', ...access, namespace: 'shop', legacyEndpoints: false });
    assert.deepEqual(one.tasks, [{ ...access, name: 'ecs/west', namespaces: [] }]);
    const other = await cloudMap(`{ ${store}, tasks: [{ context: east, namespaces: [web] }, {}] }`);
    assert.deepEqual(
      other.tasks.map(({ label, namespaces }) => [label, ...namespaces]),
      [['east', 'web'], ['in-cluster']],
    );
    assert.deepEqual((await cloudMap(`{ ${store}, tasks: [] }`)).tasks, []);
    const twice = await cloudMap(`{ ${store}, tasks: [{ namespaces: [a] }, { namespaces: [b] }] }`);
    assert.deepEqual(
      twice.tasks.map(({ name }) => name),
      ['ecs/in-cluster', 'ecs/in-cluster-2'],
    );
  });

  test('a store is required if writes are enabled', async () => {
    const expected = [
      '`store` is missing: configure where registrations are stored, such as `store: { path: ./cloudmap }`',
    ];
    assert.deepEqual(await problems('{ writes: loopback }'), expected);
    assert.deepEqual(await problems('{ writes: loopback, store: memory }'), []);
    assert.deepEqual(await problems('{ writes: loopback, store: {} }'), [
      '`store`: expected path or kubernetes, one of them',
    ]);
    assert.deepEqual(await problems('{ store: { path: a, kubernetes: { namespace: x } } }'), [
      '`store`: expected path or kubernetes, one of them',
    ]);
  });

  test('unsigned writes require a loopback address', async () => {
    const text = 'http: 0.0.0.0:8053\ncloudMap: { writes: loopback, store: memory }\nzones: [{ name: b.local }]';
    const result = await parseConfig(text, 'zones.yaml');
    assert.ok(!result.ok);
    assert.match(result.problems[0]?.message ?? '', /would allow everyone who can reach 0\.0\.0\.0 to write/);
    assert.deepEqual(await problems('{ writes: signed, store: memory }'), ['`writes: signed` needs a key in `keys`']);
  });

  test('ecs runs in the cluster of the store, in its namespace unless another is named', async () => {
    const ecs = async (more: string, store = '{ kubernetes: { context: west, namespace: Shop } }') => {
      const text = `cloudMap: { writes: off, store: ${store} }\necs: { engine: kubernetes${more} }\nzones: []`;
      const result = await parseConfig(text, 'zones.yaml');
      return result.ok ? result.config.ecs : result.problems.map(({ message }) => message);
    };
    assert.deepEqual(await ecs(''), { engine: 'kubernetes', namespace: 'shop' });
    assert.deepEqual(await ecs(', namespace: Tasks, drainSeconds: 5'), {
      ...{ engine: 'kubernetes', namespace: 'tasks', drainSeconds: 5 },
    });
    assert.deepEqual(await ecs('', 'memory'), ['`engine: kubernetes` needs `cloudMap.store.kubernetes`']);
    assert.deepEqual(await ecs(', reset: true, directory: x'), [
      '`reset` is not for `engine: kubernetes`',
      '`directory` is not for `engine: kubernetes`',
    ]);
  });

  test('ecs needs cloudMap and a loopback address, also for signed writes', async () => {
    const messages = async (text: string) => {
      const result = await parseConfig(`${text}\necs: { engine: processes }\nzones: [{ name: b.local }]`, 'zones.yaml');
      return result.ok ? [] : result.problems.map(({ message }) => message);
    };
    const key = '[{ accessKeyId: A, secretAccessKey: s }]';
    assert.match((await messages(''))[0]!, /needs `cloudMap`/);
    const open = await messages(`http: 0.0.0.0:8053\ncloudMap: { writes: signed, keys: ${key}, store: memory }`);
    assert.match(open[0]!, /must be loopback, not 0\.0\.0\.0/);
    assert.deepEqual(await messages('cloudMap: { writes: loopback, store: memory }'), []);
  });

  test('an unreadable secret file is a warning', async () => {
    const warnings = async (file: string) => {
      const key = `{ accessKeyId: A, secretAccessKeyFile: '${file}' }`;
      const result = await load(`{ writes: signed, store: memory, keys: [${key}] }`);
      return result.warnings.map(({ message }) => message);
    };
    assert.deepEqual(await warnings(fileURLToPath(import.meta.url)), []);
    assert.deepEqual(await warnings('absent'), ['/etc/healthdns/absent cannot be read']);
  });

  test('each key needs exactly one secret', async () => {
    const keys = (text: string) => problems(`{ writes: signed, store: memory, keys: [${text}] }`);
    assert.deepEqual(await keys('{ accessKeyId: A, secretAccessKey: s }'), []);
    assert.deepEqual(await keys('{ accessKeyId: A }'), ['key A needs either secretAccessKey or secretAccessKeyFile']);
    assert.deepEqual(await keys('{ accessKeyId: A, secretAccessKey: s }, { accessKeyId: A, secretAccessKey: s }'), [
      'duplicate key A',
    ]);
    assert.deepEqual(await keys('{ accessKeyId: "a b", secretAccessKey: s }'), [
      '`accessKeyId`: expected an access key id of letters, digits, _ and -, got "a b"',
    ]);
  });
});
