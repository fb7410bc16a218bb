import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from 'cborg';
import fc from 'fast-check';
import { type CloudMapServer, startCloudMapServer } from '../support/cloud-map-server.ts';

async function withServer(use: (server: CloudMapServer) => Promise<void>): Promise<void> {
  const server = await startCloudMapServer();
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

async function callCbor(url: string, operation: string, body: Uint8Array): Promise<[number, Record<string, unknown>]> {
  const response = await fetch(`${url}/service/Route53AutoNaming_v20170314/operation/${operation}`, {
    method: 'POST',
    headers: { 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor' },
    body: Buffer.from(body),
  });
  assert.equal(response.headers.get('smithy-protocol'), 'rpc-v2-cbor');
  const seconds = (decodeNext: () => unknown) => new Date(Number(decodeNext()) * 1000);
  return [response.status, decode(new Uint8Array(await response.arrayBuffer()), { tags: { 1: seconds } })];
}

async function callJson(url: string, target: string, body: string): Promise<[number, Record<string, unknown>]> {
  const headers = { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.1' };
  const response = await fetch(url, { method: 'POST', headers, body });
  return [response.status, (await response.json()) as Record<string, unknown>];
}

const TARGET = 'Route53AutoNaming_v20170314';

test('RPC v2 CBOR carries inputs, outputs, times and errors', () =>
  withServer(async ({ url }) => {
    const [status, { OperationId }] = await callCbor(url, 'CreateHttpNamespace', encode({ Name: 'cbor' }));
    assert.deepEqual([status, typeof OperationId], [200, 'string']);
    const [, { Namespaces }] = await callCbor(url, 'ListNamespaces', new Uint8Array());
    const [{ Name, CreateDate, ...rest }] = Namespaces as [Record<string, unknown>];
    assert.equal(Name, 'cbor');
    assert.ok(CreateDate instanceof Date && Math.abs(CreateDate.getTime() - Date.now()) < 60_000);
    assert.ok(!('Description' in rest), 'a member that is not set is left out');
    assert.deepEqual(await callCbor(url, 'GetNamespace', encode({ Id: 'ns-none' })), [
      400,
      {
        __type: 'com.amazonaws.servicediscovery#NamespaceNotFound',
        message: 'ns-none',
        Message: 'ns-none',
      },
    ]);
  }));

test('unknown operations, missing targets and unreadable bodies get distinct errors', () =>
  withServer(async ({ url }) => {
    const type = async (answer: Promise<[number, Record<string, unknown>]>) => {
      const [status, { __type }] = await answer;
      return [status, __type];
    };
    assert.deepEqual(await type(callJson(url, `${TARGET}.Nothing`, '{}')), [404, 'UnknownOperationException']);
    assert.deepEqual(await type(callJson(url, `${TARGET}.constructor`, '{}')), [404, 'UnknownOperationException']);
    assert.deepEqual(await type(callJson(url, 'Other.ListServices', '{}')), [404, 'UnknownOperationException']);
    assert.deepEqual(await type(callJson(url, `${TARGET}.ListServices`, '{')), [400, 'SerializationException']);
    assert.deepEqual(await type(callJson(url, `${TARGET}.ListServices`, '[]')), [400, 'SerializationException']);
    assert.deepEqual(await type(callJson(url, `${TARGET}.GetService`, '{"Id":{}}')), [400, 'InvalidInput']);
    const truncated = Uint8Array.of(0xa1, 0x62);
    assert.deepEqual(await type(callCbor(url, 'ListServices', truncated)), [
      400,
      'com.amazonaws.servicediscovery#SerializationException',
    ]);
  }));

test('any JSON and any bytes get a response of the API, and change nothing', () =>
  withServer(async ({ url, api }) => {
    const operations = [
      'CreateService',
      'RegisterInstance',
      'DiscoverInstances',
      'UpdateService',
      'TagResource',
      'ListOperations',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...operations),
        fc.jsonValue(),
        fc.uint8Array(),
        async (operation, value, bytes) => {
          const [json] = await callJson(url, `${TARGET}.${operation}`, JSON.stringify(value));
          const [cbor] = await callCbor(url, operation, bytes);
          assert.ok([200, 400].includes(json) && [200, 400].includes(cbor), `${json} ${cbor}`);
        },
      ),
      { numRuns: 200 },
    );
    assert.equal(api.state.services.size, 0);
  }));
