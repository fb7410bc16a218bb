// Names of others as clients get them: what is forwarded, and how answers fit what the client takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLASS, FLAG, RCODE } from '../../src/dns/types.ts';
import type { ForwardSettings } from '../../src/plane/forward-settings.ts';
import { routeTo, upstream } from '../support/forwarding.ts';
import { answerFrom, SOA } from '../support/scripted-upstream.ts';
import { throughEngine } from '../support/through-engine.ts';
import { assertRecords } from '../support/zone-text.ts';

const BIG = Array.from({ length: 60 }, (_, i) => `big.example. 300 IN A 192.0.2.${i}`).join('\n');

test('a large forwarded answer is truncated over UDP without EDNS, and complete with EDNS and over TCP, cached or not', async () => {
  const one = await upstream(answerFrom(BIG));
  const { ask, close } = await throughEngine('zone ours.', {}, [one.port]);
  for (const time of ['fetched', 'cached']) {
    const plain = await ask('big.example. A', { edns: false });
    assert.deepEqual([plain.answers.length, plain.flags & FLAG.TC, plain.edns], [0, FLAG.TC, undefined], time);
  }
  assert.equal((await ask('big.example. A')).answers.length, 60);
  const whole = await ask('big.example. A', { edns: false, overTcp: true });
  assert.deepEqual([whole.answers.length, whole.flags & FLAG.TC], [60, 0]);
  assert.equal(one.asked.length, 1);
  close();
});

test('classes other than IN and zone transfers are not forwarded', async () => {
  const one = await upstream(answerFrom(BIG));
  const { ask, close } = await throughEngine('zone ours.', {}, [one.port]);
  for (const asked of [CLASS.CH, 4, 254, 255]) {
    for (const question of ['big.example. A', 'big.example. TXT']) {
      assert.equal((await ask(question, { class: asked })).rcode, RCODE.REFUSED, `class ${asked}`);
    }
  }
  for (const type of ['AXFR', 'IXFR']) assert.equal((await ask(`example. ${type}`)).rcode, RCODE.REFUSED);
  assert.equal(one.asked.length, 0);
  close();
});

const OURS = [
  'zone ours.',
  'api 30 A 192.0.2.1',
  'missing-out 30 CNAME missing.example.',
  'empty-out 30 CNAME www.example.',
];
const OUR_SOA = 'ours. 30 IN SOA ns.ours. hostmaster.ours. 1 7200 1800 86400 30';
/** Where names of ours and of others meet in a chain that ends in nothing: RCODE of the last name, SOA of its zone. */
const NEGATIVE: Record<string, [question: string, rcode: number, answers: string, authority: string]> = {
  'an external alias of a name that we do not have': [
    'to-missing.example. A',
    RCODE.NXDOMAIN,
    'to-missing.example. 300 IN CNAME missing.ours.',
    OUR_SOA,
  ],
  'an external alias of a name of ours without records of the type': [
    'to-api.example. TXT',
    RCODE.NOERROR,
    'to-api.example. 300 IN CNAME api.ours.',
    OUR_SOA,
  ],
  'our alias of a missing external name': [
    'missing-out.ours. A',
    RCODE.NXDOMAIN,
    'missing-out.ours. 30 IN CNAME missing.example.',
    SOA.replace('3600 IN', '60 IN'),
  ],
  'our alias of an external name without records of the type': [
    'empty-out.ours. AAAA',
    RCODE.NOERROR,
    'empty-out.ours. 30 IN CNAME www.example.',
    SOA.replace('3600 IN', '60 IN'),
  ],
};

for (const [what, [question, rcode, answers, authority]] of Object.entries(NEGATIVE)) {
  test(`${what} has the RCODE (RFC 6604) and SOA (RFC 2308) of the last name, cached or not`, async () => {
    const names = answerFrom('www.example. 300 IN A 192.0.2.9');
    const one = await upstream((asked) => {
      const target = /^to-([a-z]+)\.example\./.exec(asked.text)?.[1];
      if (target === undefined) names(asked);
      else asked.send(asked.reply({ answers: `to-${target}.example. 300 IN CNAME ${target}.ours.` }));
    });
    const { ask, close } = await throughEngine(OURS.join('\n'), {}, [one.port]);
    for (const time of ['first', 'second']) {
      const response = await ask(question);
      assert.equal(response.rcode, rcode, time);
      assertRecords(response.answers, answers);
      assertRecords(response.authorities, authority);
    }
    close();
  });
}

test('the SOA of an external negative answer that does not fit makes the response truncated', async () => {
  const one = await upstream((asked) => asked.send(asked.reply({ rcode: 3, authorities: LONG_SOA })));
  const { ask, close } = await throughEngine(OURS.join('\n'), {}, [one.port]);
  const response = await ask('missing-out.ours. A', { edns: false });
  assert.deepEqual([response.flags & FLAG.TC, response.authorities.length], [FLAG.TC, 0]);
  assert.equal((await ask('missing-out.ours. A', { overTcp: true })).authorities.length, 1);
  close();
});

const LABEL = 'x'.repeat(60);
const LONG_SOA = `. 3600 IN SOA ${`${LABEL}.`.repeat(4)} ${`a.${LABEL}.`.repeat(3)} 1 7200 3600 1209600 60`;

const LEADING_OUT = `zone ours.
www 60 CNAME www.example.com.
first 60 CNAME www
old 60 DNAME example.com.
to-template 60 CNAME ip.made.test.`;
const MADE = { zone: 'made.test.', type: 1, match: undefined, rcode: 0, values: ['192.0.2.7'], ttlSeconds: 60 };
const NO_ROUTE: Record<string, (port: number) => Partial<ForwardSettings>> = {
  'only another zone is forwarded': (port) => ({ routes: [routeTo('up.test.', [port])] }),
  'there are only templates': () => ({ routes: [], templates: [MADE] }),
  'the target is excepted': (port) => ({ routes: [{ ...routeTo('.', [port]), except: ['example.com.'] }] }),
};

for (const [what, forward] of Object.entries(NO_ROUTE)) {
  test(`an alias of ours that leads outside has the chain so far, without an error, if ${what}`, async () => {
    const one = await upstream(answerFrom(''));
    const { ask, close } = await throughEngine(LEADING_OUT, {}, [], forward(one.port));
    const { ask: askWithout } = await throughEngine(LEADING_OUT);
    for (const question of ['www.ours. A', 'first.ours. TXT', 'www.old.ours. AAAA', 'www.ours. CNAME']) {
      for (const dnssecOk of [false, true]) {
        const response = await ask(question, { dnssecOk });
        const expected = await askWithout(question, { dnssecOk });
        assert.equal(response.flags, expected.flags | FLAG.RA, question);
        assert.deepEqual(
          [response.rcode, response.answers, response.authorities, response.edns],
          [RCODE.NOERROR, expected.answers, expected.authorities, expected.edns],
          question,
        );
        assert.ok(response.answers.length > 0);
      }
    }
    assert.equal((await ask('www.example.com. A')).rcode, RCODE.REFUSED);
    assert.equal(one.asked.length, 0);
    close();
  });
}

test('an alias of ours that leads to a template has its records, without any upstream server', async () => {
  const { ask, close } = await throughEngine(LEADING_OUT, {}, [], { routes: [], templates: [MADE] });
  const { answers } = await ask('to-template.ours. A');
  assertRecords(answers, 'to-template.ours. 60 IN CNAME ip.made.test.\nip.made.test. 60 IN A 192.0.2.7');
  close();
});

test('an own name that falls through is NXDOMAIN if no server is configured for it', async () => {
  const zone = 'zone example.test. fallthrough=.\nwww 60 A 192.0.2.1';
  const entries = [{ address: '192.0.2.7', names: ['listed.example.test.'] }];
  const routed = await upstream(answerFrom('deep.sub.example.test. 60 IN A 192.0.2.9'));
  const { ask, close } = await throughEngine(zone, {}, [], {
    hosts: { entries, files: [], ttlSeconds: 30, reverse: false },
    routes: [routeTo('other.test.', [9]), routeTo('sub.example.test.', [routed.port])],
  });
  const missing = await ask('missing.example.test. A');
  assert.deepEqual([missing.rcode, missing.flags & FLAG.AA, missing.authorities.length], [RCODE.NXDOMAIN, FLAG.AA, 1]);
  assertRecords((await ask('listed.example.test. A')).answers, 'listed.example.test. 30 IN A 192.0.2.7');
  assertRecords((await ask('deep.sub.example.test. A')).answers, 'deep.sub.example.test. 60 IN A 192.0.2.9');
  assert.equal((await ask('missing.elsewhere.test. A')).rcode, RCODE.REFUSED);
  close();
});
