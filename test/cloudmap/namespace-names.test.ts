import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespaceNameProblem } from '../../src/cloudmap/namespace-names.ts';
import { startCloudMapServer } from '../support/cloud-map-server.ts';

const zones = () => ['cluster.local.', '10.in-addr.arpa.'];

const cases: readonly [name: string, allowed: readonly string[] | undefined, problem: RegExp | undefined][] = [
  ['com', undefined, /^com is a public suffix/],
  ['CO.UK', undefined, /^co\.uk is a public suffix/],
  ['ck', undefined, /^ck is a public suffix/],
  ['in-addr.arpa', undefined, /public suffix/],
  ['example.com', undefined, undefined],
  ['internal', undefined, undefined],
  ['shop.local', undefined, undefined],
  ['default.svc.cluster.local', undefined, /overlaps the configured zone cluster\.local\./],
  ['cluster.local', undefined, /overlaps/],
  ['local', undefined, /overlaps/],
  ['notcluster.local', undefined, undefined],
  ['shop.local', ['shop.local'], undefined],
  ['a.Shop.Local.', ['shop.local.'], undefined],
  ['workshop.local', ['shop.local'], /not below one of cloudMap\.namespaces: shop\.local/],
  ['default.svc.cluster.local', ['svc.cluster.local'], undefined],
  ['com', ['com'], undefined],
  ['a.local', [], /the list is empty/],
];
for (const [name, allowed, problem] of cases)
  test(`${name} with ${allowed ? `the list [${allowed.join()}]` : 'the default'} is ${problem ? 'refused' : 'allowed'}`, () => {
    const found = namespaceNameProblem(name, { allowed, zones });
    if (problem === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', problem);
  });

test('names of DNS namespaces that are not allowed are InvalidInput; HTTP namespaces may have any name', async () => {
  const server = await startCloudMapServer({ zones: ['cluster.local.'] });
  const call = async (operation: string, input: object) => {
    const headers = {
      'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
      'content-type': 'application/x-amz-json-1.1',
    };
    const response = await fetch(server.url, { method: 'POST', headers, body: JSON.stringify(input) });
    return ((await response.json()) as { __type?: string }).__type;
  };
  try {
    const Name = 'default.svc.cluster.local';
    assert.equal(await call('CreatePrivateDnsNamespace', { Name, Vpc: 'vpc-1' }), 'InvalidInput');
    assert.equal(await call('CreatePublicDnsNamespace', { Name: 'co.uk' }), 'InvalidInput');
    assert.equal(await call('CreateHttpNamespace', { Name: 'com' }), undefined);
    assert.deepEqual([...server.zones], []);
  } finally {
    await server.close();
  }
});
