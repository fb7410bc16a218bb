import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespaceNameProblem } from '../../src/cloudmap/namespace-names.ts';
import { read, serviceName } from '../../src/cloudmap/request-shapes.ts';
import { startCloudMapServer } from '../support/cloud-map-server.ts';

const zones = () => ['cluster.local.', '10.in-addr.arpa.'];

const cases: readonly [name: string, allowed: readonly string[] | undefined, problem: RegExp | undefined][] = [
  ['com', undefined, /^com is a public suffix/],
  ['CO.UK', undefined, /^co\.uk is a public suffix/],
  ['ck', undefined, /^ck is a public suffix/],
  ['in-addr.arpa', undefined, /^in-addr\.arpa is a reserved name; to allow it, list it in cloudMap\.namespaces$/],
  ['12.in-addr.arpa', undefined, /^12\.in-addr\.arpa is below in-addr\.arpa, a reserved name/],
  ['8.b.d.0.1.0.0.2.ip6.arpa', undefined, /below ip6\.arpa/],
  ['localhost', undefined, /^localhost is a reserved name/],
  ['api.localhost', undefined, /below localhost/],
  ['a.invalid', undefined, /below invalid/],
  ['a.onion', undefined, /below onion/],
  ['intranet', undefined, /^intranet has a single label/],
  ['github.io', undefined, /^github\.io is a public suffix/],
  ['shop.github.io', undefined, undefined],
  ['.', undefined, /^\. is the root of all names/],
  ['.', ['shop.local'], /^\. is not below/],
  ['intranet', ['intranet'], undefined],
  ['12.in-addr.arpa', ['in-addr.arpa'], undefined],
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

test('the error for a service name names the fault', () => {
  const problemOf = (name: string) => {
    try {
      read(serviceName, name);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const problems: readonly (readonly [string, RegExp | undefined])[] = [
    ['api', undefined],
    ['.', undefined],
    ['_http._tcp.web-1', undefined],
    ['a'.repeat(63), undefined],
    ['a'.repeat(64), /^has a label of 64 characters: at most 63 fit$/],
    ['a b', /^must consist of letters, digits, hyphens, underscores and dots$/],
    ['a..b', /^has an empty label/],
    ['a-.b', /^has a label with a hyphen at an end$/],
    ['-', /^has a label with a hyphen at an end$/],
    ['_', /^has a label that is a single underscore$/],
    ['', /^has an empty label/],
  ];
  for (const [name, problem] of problems) {
    if (problem === undefined) assert.equal(problemOf(name), undefined, name);
    else assert.match(problemOf(name) ?? '', problem, name);
  }
});
