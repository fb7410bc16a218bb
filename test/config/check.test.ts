import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { check } from '../../src/config/loading/check.ts';

const EXAMPLE = resolve('zones.example.yaml');

describe('healthdns check', () => {
  async function run(file: string) {
    const out: string[] = [];
    const err: string[] = [];
    const code = await check(file, { out: (line) => out.push(line), err: (line) => err.push(line) });
    return { code, out, err };
  }

  test('check summarizes what the example would serve, without a warning', async () => {
    assert.deepEqual(await run(EXAMPLE), {
      code: 0,
      out: [
        `${EXAMPLE}: valid`,
        'DNS   127.0.0.1:1053, [::1]:1053 (UDP and TCP)',
        'HTTP  127.0.0.1:8053',
        'zone  production.local.: 9 records, 3 services, 7 instances (3 with a health check)',
        'rest  REFUSED (no `forward` in the file)',
      ],
      err: [],
    });
  });

  test('check summarizes the content of each zone, and disabled or separate addresses', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'healthdns-check-'));
    const file = join(folder, 'zones.yaml');
    const record = 'records: [{ name: www, type: A, value: 192.0.2.1 }]';
    const service = 'services: [{ name: api, instances: [{ id: one, ipv4: 192.0.2.1 }] }]';
    const zones = `[{ name: empty.test }, { name: one.test, ${record}, ${service} }]`;
    await writeFile(file, `http: false\nadmin: 127.0.0.1:8054\nzones: ${zones}\n`);
    const { out } = await run(file);
    await rm(folder, { recursive: true });
    assert.deepEqual(out.slice(2), [
      'HTTP  off',
      'admin 127.0.0.1:8054',
      'zone  empty.test.: only its SOA and NS records',
      'zone  one.test.: 1 record, 1 service, 1 instance (0 with a health check)',
      'rest  REFUSED (no `forward` in the file)',
    ]);
  });

  for (const [forward, rest] of [
    ['forward: [{ to: [192.0.2.1] }]', 'forwarded'],
    ['forward: [{ to: [192.0.2.1], except: [a.test] }]', 'forwarded, except a.test.'],
    ['forward: [{ zone: up.test, to: [192.0.2.1] }]', 'REFUSED, except up.test. (forwarded)'],
    [
      'templates: [{ zone: ip.test, type: A, values: [192.0.2.1] }]\nforward: [{ zone: up.test, to: [192.0.2.1] }, { zone: b.test, to: [192.0.2.1] }]',
      'REFUSED, except up.test., b.test. (forwarded), ip.test. (templates)',
    ],
    ['templates: [{ zone: ip.test, type: A, values: [192.0.2.1] }]', 'REFUSED, except ip.test. (templates)'],
    ['', 'REFUSED (no `forward` in the file)'],
  ] as const) {
    test(`check reports what other names get: ${rest}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'healthdns-check-'));
      const file = join(folder, 'zones.yaml');
      await writeFile(file, `zones: [{ name: ours.test }]\n${forward}\n`);
      const { out, err } = await run(file);
      await rm(folder, { recursive: true });
      assert.deepEqual([out.at(-1), err], [`rest  ${rest}`, []]);
    });
  }

  test('check prints each problem with its location and exits with 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'healthdns-check-'));
    const file = join(folder, 'zones.yaml');
    await writeFile(file, 'zones:\n  - name: x\n    services: [{ name: a }, { name: a, heathCheck: {} }]\n');
    const result = await run(file);
    await rm(folder, { recursive: true });
    assert.deepEqual(result, {
      code: 1,
      out: [],
      err: [
        `${file}:3:16: warning: service \`a\` has no instances: its name has no records`,
        `${file}:3:37: duplicate service \`a\` in namespace default: same as services[0]; add its instances there`,
        `${file}:3:40: unknown key \`heathCheck\`, did you mean \`healthCheck\`?`,
        `${file}: 2 problems`,
      ],
    });
  });
});
