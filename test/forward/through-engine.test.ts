// Names of others as clients get them: what is forwarded, and how answers fit what the client takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLASS, FLAG, RCODE } from '../../src/dns/types.ts';
import { upstream } from '../support/forwarding.ts';
import { answerFrom } from '../support/scripted-upstream.ts';
import { throughEngine } from '../support/through-engine.ts';

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
