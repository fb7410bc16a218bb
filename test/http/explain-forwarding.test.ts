import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE } from '../../src/dns/types.ts';
import { explainForwarding } from '../../src/http/forwarding.ts';

test('rules for the name of an address are those of a PTR query, for other names those of an A query', async () => {
  const types: number[] = [];
  const plane = {
    async explainQuery({ type }: { readonly type: number }) {
      types.push(type);
      return { rules: [] };
    },
    upstreams: () => [],
    listCache: async () => [],
  };
  for (const name of ['9.9.9.10.in-addr.arpa.', '1.0.ip6.arpa.', 'www.example.com.', 'arpa.'])
    await explainForwarding(plane, name, undefined, true);
  assert.deepEqual(types, [TYPE.PTR, TYPE.PTR, TYPE.A, TYPE.A]);
});
