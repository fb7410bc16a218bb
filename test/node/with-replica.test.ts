// Agents beside the push server of `healthdns serve`: what the server knows is what each agent answers.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import { startTestAgent, type TestAgent } from '../support/node-agent.ts';
import { type PushServerUnderTest, startPushServer } from '../support/push-server.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

for (const transport of ['plain TCP', 'TLS'] as const) {
  describe(`over ${transport}`, transport === 'TLS' ? requirement('openssl') : {}, () => {
    let server: PushServerUnderTest;
    let folder: string;
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'healthdns-node-'));
      server = await startPushServer(transport);
      if (server.certificate !== undefined) writeFileSync(join(folder, 'ca.crt'), server.certificate);
      await server.state('zone x.test.');
    });
    after(async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    });

    async function agentOf(t: TestContext, serverName?: string): Promise<TestAgent> {
      const tls = transport === 'TLS' ? { ca: join(folder, 'ca.crt'), serverName } : undefined;
      const replicas = { push: [server.port], tls, zones: ['x.test.'] };
      const agent = startTestAgent(t, { clock: systemClock, random: Math.random, ...replicas });
      if (serverName === undefined) await until(agent.hasBeenFresh, true);
      return agent;
    }

    /** Asked until it is held, then answered without the server. */
    async function hold(agent: TestAgent, question: string, name: string): Promise<void> {
      await agent.answer(question);
      await until(() => agent.held.sample(1000).some((view) => Buffer.from(view.name).includes(name)), true);
    }

    test('a flip is in the next answer of the agent', async (t) => {
      await server.state('api 5 A 10.0.0.1 ; slot=a\napi 5 A 10.0.0.2 ; slot=b');
      const agent = await agentOf(t);
      await hold(agent, 'api.x.test. A', 'api');
      assert.equal(await agent.answer('api.x.test. A'), 'api.x.test. 5 IN A 10.0.0.1\napi.x.test. 5 IN A 10.0.0.2');
      await server.state('down a');
      await until(() => agent.answer('api.x.test. A'), 'api.x.test. 5 IN A 10.0.0.2');
      await server.state('down b');
      await until(() => agent.answer('api.x.test. A'), 'NOERROR');
      await server.state('up a');
      await until(() => agent.answer('api.x.test. A'), 'api.x.test. 5 IN A 10.0.0.1');
      assert.equal(agent.held.counts.foreign + agent.held.counts.unasked, 0);
    });

    test('a wildcard, an alias and a service record are held under the names that are asked for', async (t) => {
      await server.state(
        '*.wild 5 A 10.0.0.4\nalias 5 CNAME target\ntarget 5 A 10.0.0.5 ; slot=t\ntarget 5 A 10.0.0.6 ; slot=u\n_http._tcp 5 SRV 0 1 80 target',
      );
      const agent = await agentOf(t);
      const questions = ['any.wild.x.test. A', 'alias.x.test. A', '_http._tcp.x.test. SRV'];
      const first = [];
      for (const question of questions) first.push(await agent.answer(question));
      await until(() => agent.held.sample(9).length >= 3, true);
      const forwarded = () => agent.answering.engine.counters[COUNTER.FORWARDED];
      const before = forwarded();
      for (const [i, question] of questions.entries()) assert.equal(await agent.answer(question), first[i]);
      assert.equal(forwarded(), before);
      await server.state('down t');
      await until(
        () => agent.answer('alias.x.test. A'),
        'alias.x.test. 5 IN CNAME target.x.test.\ntarget.x.test. 5 IN A 10.0.0.6',
      );
    });

    test('many agents learn of a flip, and the audit finds no difference', async (t) => {
      await server.state('many 5 A 10.0.1.1 ; slot=m1\nmany 5 A 10.0.1.2 ; slot=m2');
      const agents = await Promise.all(Array.from({ length: 20 }, () => agentOf(t)));
      for (const agent of agents) await hold(agent, 'many.x.test. A', 'many');
      for (const [flip, expected] of [
        ['down m1', 'many.x.test. 5 IN A 10.0.1.2'],
        ['up m1', 'many.x.test. 5 IN A 10.0.1.1\nmany.x.test. 5 IN A 10.0.1.2'],
        ['down m2', 'many.x.test. 5 IN A 10.0.1.1'],
      ] as const) {
        await server.state(flip);
        for (const agent of agents) await until(() => agent.answer('many.x.test. A'), expected);
      }
    });

    test('when a replica ends, its agents go to the other one and answer what that one knows', async (t) => {
      const leaving = await startPushServer(transport);
      await leaving.state('zone x.test.\nmoved 5 A 10.0.2.1');
      await server.state('moved 5 A 10.0.2.2');
      const ca = join(folder, 'ca.crt');
      // Each has a certificate of its own.
      if (leaving.certificate !== undefined) writeFileSync(ca, `${leaving.certificate}\n${server.certificate}`);
      const tls = transport === 'TLS' ? { ca, serverName: undefined } : undefined;
      const replicas = { push: [leaving.port, server.port], tls, zones: ['x.test.'] };
      const common = { clock: systemClock, random: Math.random, ...replicas };
      const agents = Array.from({ length: 10 }, () => startTestAgent(t, common));
      for (const agent of agents) {
        await until(agent.hasBeenFresh, true);
        await hold(agent, 'moved.x.test. A', 'moved');
        assert.equal(await agent.answer('moved.x.test. A'), 'moved.x.test. 5 IN A 10.0.2.1');
      }
      await leaving.close();
      for (const agent of agents) {
        await until(() => agent.answer('moved.x.test. A'), 'moved.x.test. 5 IN A 10.0.2.2');
        assert.equal(agent.replicas.address(), `127.0.0.1:${server.port}`);
      }
    });

    if (transport === 'TLS')
      test('a certificate for another name is not accepted', async (t) => {
        const agent = await agentOf(t, 'other.test');
        await until(() => agent.replicas.counts.failed > 0, true);
        assert.equal(agent.hasBeenFresh(), false);
        // The operator is told what it contains, and which key to change.
        assert.match(
          agent.replicas.trouble(),
          /^127\.0\.0\.1:\d+: ERR_TLS_CERT_ALTNAME_INVALID: .*other\.test.*altnames: .*\(`replicas\.serverName` must/,
        );
      });

    if (transport === 'TLS')
      test('a certificate of an unknown authority is not accepted', async (t) => {
        const tls = { ca: undefined, serverName: undefined };
        const replicas = { push: [server.port], tls, zones: ['x.test.'] };
        const agent = startTestAgent(t, { clock: systemClock, random: Math.random, ...replicas });
        await until(() => agent.replicas.counts.failed > 0, true);
        assert.match(
          agent.replicas.trouble(),
          /CERT.*: the replica's certificate is not of an authority in `replicas\.ca`/,
        );
      });
  });
}
