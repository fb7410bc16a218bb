// Several entries of `forward` for one zone: what one leaves, and what it cannot answer, is for the next.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { RCODE, rcodeName } from '../../src/dns/types.ts';
import { type OpenSocket, openDatagram } from '../../src/native/connected-datagram.ts';
import { forwarderTo, routeTo, upstream } from '../support/forwarding.ts';
import type { Asked } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

const SOA = 'example. 60 IN SOA ns.example. h.example. 1 2 3 4 60';
const answers = (text: string) => (asked: Asked) =>
  asked.send(asked.reply({ answers: text.replaceAll('@', asked.text.split(' ')[0]) }));
const fails = (rcode: number) => (asked: Asked) =>
  asked.send(asked.reply({ rcode, authorities: rcode === RCODE.NXDOMAIN ? SOA : '' }));
const nodata = (asked: Asked) => asked.send(asked.reply({ authorities: SOA }));

/** What the first server does, after which outcomes the second is asked, and what the client gets. */
const CASES = [
  { what: 'NXDOMAIN', script: fails(RCODE.NXDOMAIN), next: ['NXDOMAIN'], answer: 'NOERROR 1' },
  { what: 'NXDOMAIN', script: fails(RCODE.NXDOMAIN), next: ['SERVFAIL'], answer: 'NXDOMAIN 0' },
  { what: 'no data', script: nodata, next: ['NODATA'], answer: 'NOERROR 1' },
  { what: 'no data', script: nodata, next: ['NXDOMAIN'], answer: 'NOERROR 0' },
  { what: 'SERVFAIL', script: fails(RCODE.SERVFAIL), next: ['SERVFAIL'], answer: 'NOERROR 1' },
  { what: 'REFUSED', script: fails(RCODE.REFUSED), next: ['SERVFAIL'], answer: 'NOERROR 1' },
  { what: 'SERVFAIL', script: fails(RCODE.SERVFAIL), next: ['NXDOMAIN'], answer: 'SERVFAIL 0' },
  {
    what: 'an answer',
    script: answers('@ 60 IN A 192.0.2.9'),
    next: ['NXDOMAIN', 'NODATA', 'SERVFAIL'],
    answer: 'NOERROR 1',
  },
] as const;

describe('the next entry of the same zone', () => {
  for (const { what, script, next, answer } of CASES)
    test(`after ${what} with next: [${next}] the client gets ${answer}`, async (context) => {
      const [first, second] = [await upstream(script), await upstream(answers('@ 60 IN A 192.0.2.1'))];
      const routes = [routeTo('.', [first.port], { next, attempts: 1 }), routeTo('.', [second.port])];
      const { ask, forwarder } = forwarderTo([], { routes });
      context.after(() => forwarder.close());
      const { rcode, answers: records } = await ask('www.example. A');
      assert.equal(`${rcodeName(rcode)} ${records.length}`, answer);
    });

  test('names excepted by a forward entry go to the next entry of the zone, or to none', async (context) => {
    const [first, second] = [
      await upstream(answers('@ 60 IN A 192.0.2.1')),
      await upstream(answers('@ 60 IN A 192.0.2.2')),
    ];
    const routes = [
      routeTo('.', [first.port], { except: ['corp.example.', 'none.example.'] }),
      routeTo('.', [second.port], { except: ['none.example.'] }),
    ];
    const { ask, forwarder } = forwarderTo([], { routes });
    context.after(() => forwarder.close());
    const last = async (name: string) => (await ask(`${name} A`)).answers[0]?.rdata.at(-1);
    assert.deepEqual([await last('www.example.'), await last('www.corp.example.')], [1, 2]);
    assert.equal((await ask('www.none.example. A')).rcode, RCODE.REFUSED);
  });

  test('the answer of the last forward entry of a zone is final', async (context) => {
    const [first, second] = [await upstream(fails(RCODE.NXDOMAIN)), await upstream(fails(RCODE.NXDOMAIN))];
    const routes = [first, second].map(({ port }) => routeTo('.', [port], { next: ['NXDOMAIN'] }));
    const { ask, forwarder } = forwarderTo([], { routes });
    context.after(() => forwarder.close());
    assert.equal((await ask('www.example. A')).rcode, RCODE.NXDOMAIN);
  });
});

test('a question that waits for the first entry does not go on to the next when the forwarder closes', async () => {
  const first = await upstream();
  const second = await upstream();
  let opened = 0;
  const openSocket: OpenSocket = (...socket) => {
    opened++;
    return openDatagram(...socket);
  };
  const routes = [routeTo('.', [first.port], { next: ['SERVFAIL'], attempts: 1 }), routeTo('.', [second.port])];
  const { ask, forwarder } = forwarderTo([], { routes, openSocket });
  void ask('www.example. A');
  await until(() => first.asked.length, 1);
  forwarder.close();
  assert.equal(opened, 1);
});

test('a second forward entry for a zone is rejected if the first leaves nothing to it', async () => {
  const problems = async (entries: string) => {
    const result = await parseConfig(`zones: [{ name: a.test }]\nforward: ${entries}\n`, 'zones.yaml');
    return result.ok ? 0 : result.problems.length;
  };
  assert.equal(await problems('[{ to: 192.0.2.1 }, { to: 192.0.2.2 }]'), 1);
  assert.equal(await problems('[{ to: 192.0.2.1, next: [NXDOMAIN] }, { to: 192.0.2.2 }]'), 0);
  assert.equal(await problems('[{ to: 192.0.2.1, except: [a] }, { to: 192.0.2.2 }]'), 0);
  assert.equal(await problems('[{ to: 192.0.2.1, next: [NXDOMAIN] }, { to: 192.0.2.2 }, { to: 192.0.2.3 }]'), 1);
});

test('each TLS upstream server may have its own server name', async () => {
  const result = await parseConfig(
    'zones: [{ name: a.test }]\nforward: [{ to: ["tls://192.0.2.1%dns.one.test", "tls://192.0.2.2%dns.two.test:8853", "tls://192.0.2.3"], tls: { serverName: dns.three.test } }]\n',
    'zones.yaml',
  );
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(
    result.config.forward?.routes[0].upstreams.map(({ address, port, tls }) => `${address} ${port} ${tls?.serverName}`),
    ['192.0.2.1 853 dns.one.test', '192.0.2.2 8853 dns.two.test', '192.0.2.3 853 dns.three.test'],
  );
});
