// The text beside the extended error of a failure: which server failed, and how.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../src/dns/message/message.ts';
import { extendedErrors } from '../../src/dns/message/opt.ts';
import { EDE, OPTION, RCODE } from '../../src/dns/types.ts';
import { FORWARD_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { forwarder, routeTo, upstream } from '../support/forwarding.ts';
import { type Asked, SOA } from '../support/scripted-upstream.ts';
import { throughEngine } from '../support/through-engine.ts';

const fails = (asked: Asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL }));
const errorOf = (message: Message) => extendedErrors(message.edns)[0];
const SHORT = { deadlineMs: 300, attemptTimeoutMs: 100 };

test('the error text of a silent upstream server is a timeout', async () => {
  const silent = await upstream();
  const { ask } = forwarder([silent], { route: SHORT });
  const text = `upstream 127.0.0.1:${silent.port} timed out`;
  assert.deepEqual(errorOf(await ask('www.example. A')), { infoCode: EDE.NO_REACHABLE_AUTHORITY, text });
});

test('the error text names the upstream server and its RCODE, also in cached answers', async () => {
  const broken = await upstream(fails);
  const { ask, cached } = forwarder([broken]);
  const text = `upstream 127.0.0.1:${broken.port} answered SERVFAIL`;
  assert.equal(errorOf(await ask('www.example. A'))?.text, text);
  assert.deepEqual(errorOf(cached('www.example. A')!), { infoCode: EDE.NETWORK_ERROR, text });
});

test("the error text of a closed port is the socket's error; of several servers, the last one's", async () => {
  const gone = await upstream();
  await gone.close();
  gone.close = async () => {};
  const { ask } = forwarder([gone, gone], { routes: [routeTo('.', [gone.port])] });
  assert.equal(errorOf(await ask('www.example. A'))?.text, `upstream 127.0.0.1:${gone.port} ECONNREFUSED`);
  const [first, second] = [await upstream(fails), await upstream(fails)];
  const both = forwarder([first, second]);
  assert.equal(
    errorOf(await both.ask('www.example. A'))?.text,
    `upstream 127.0.0.1:${second.port} answered SERVFAIL (the last of 2)`,
  );
});

test('a SERVFAIL behind an own CNAME carries the error text of the upstream server', async () => {
  const broken = await upstream(fails);
  const zone = 'zone our.test.\nwww.our.test. 5 CNAME www.example.';
  const { ask, close } = await throughEngine(zone, {}, [broken.port]);
  for (let i = 0; i < 2; i++) {
    const answer = await ask('www.our.test. A');
    assert.equal(answer.rcode, RCODE.SERVFAIL);
    assert.deepEqual(errorOf(answer), {
      infoCode: EDE.NETWORK_ERROR,
      text: `upstream 127.0.0.1:${broken.port} answered SERVFAIL`,
    });
  }
  close();
});

test('with errorText: false, failures carry the code without a text', async () => {
  const broken = await upstream(fails);
  const { ask, cached } = forwarder([broken], { settings: { errorText: false } });
  assert.equal(FORWARD_DEFAULTS.errorText, true);
  assert.equal(errorOf(await ask('www.example. A'))?.text, '');
  assert.equal(errorOf(cached('www.example. A')!)?.text, '');
});

test('the text of an extended error is passed on with an answer, also from the cache, where it fits and is wanted', async () => {
  const why = '0 of 2 healthy: a1 500 Internal Server Error';
  const data = Uint8Array.of(0, EDE.OTHER, ...Buffer.from(`${why}\u0007`));
  const edns = { udpBytes: 1232, version: 0, dnssecOk: false, options: [{ code: OPTION.EDE, data }] };
  const explaining = await upstream((asked) => asked.send(asked.reply({ authorities: SOA, edns })));
  const expected = { infoCode: EDE.OTHER, text: `${why}?` };
  const { ask, cached } = forwarder([explaining]);
  assert.deepEqual(errorOf(await ask('www.example. A')), expected);
  for (let i = 0; i < 2; i++) assert.deepEqual(errorOf(cached('www.example. A')!), expected);
  assert.equal(cached('www.example. A', { edns: false })?.authorities.length, 1);
  const whole = cached('www.example. A', { maxBytes: 130 })!;
  assert.deepEqual([errorOf(whole), whole.authorities.length], [{ infoCode: EDE.OTHER, text: '' }, 1]);
  const silenced = forwarder([explaining], { settings: { errorText: false } });
  assert.deepEqual(errorOf(await silenced.ask('www.example. A')), { infoCode: EDE.OTHER, text: '' });
});
