// Live questions, as the dnstap of real servers sends them.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../src/clock.ts';
import { askAll } from '../../../src/shadow/answers/ask.ts';
import { composeQuery, type Question } from '../../../src/shadow/answers/question.ts';
import { emptyWorld } from '../../../src/shadow/cluster/world.ts';
import { listenForDnstap } from '../../../src/shadow/live.ts';
import { createNotes } from '../../../src/shadow/questions/notes.ts';
import { shadow } from '../../../src/shadow/shadow.ts';
import { serving, temporaryFolder } from '../../support/command.ts';
import { freePorts } from '../../support/free-ports.ts';
import { requirement } from '../../support/requirement.ts';
import { startCoreDns } from './installed.ts';

const ZONE = 'live.example.';

test(
  'queries to CoreDNS and healthdns arrive over dnstap, and both servers are asked the same',
  requirement('coredns'),
  async (t) => {
    const folder = await temporaryFolder(t);
    const [dnstapPort, theirPort, ourPort, httpPort] = await freePorts(4);
    const live = await listenForDnstap({ host: '127.0.0.1', port: dnstapPort }, createNotes());
    t.after(live.close);
    const corefile = join(folder, 'Corefile');
    await writeFile(
      corefile,
      `${ZONE}:${theirPort} {
  bind 127.0.0.1
  dnstap tcp://127.0.0.1:${dnstapPort} full
  template IN A ${ZONE} {
    answer "{{ .Name }} 5 IN A 192.0.2.1"
  }
}
`,
    );
    const zones = join(folder, 'zones.yaml');
    await writeFile(
      zones,
      `listen: ["127.0.0.1:${ourPort}"]
http: 127.0.0.1:${httpPort}
dnstap: { to: "tcp://127.0.0.1:${dnstapPort}" }
zones:
  - name: ${ZONE}
    ttlSeconds: 5
    records:
      - { name: same, type: A, value: 192.0.2.1 }
      - { name: other, type: A, value: 192.0.2.2 }
`,
    );
    const coreDns = startCoreDns(corefile);
    t.after(coreDns.stop);
    const healthdns = serving([zones]);
    t.after(() => healthdns.stop());

    const at = (port: number) => ({ address: '127.0.0.1', family: 4, port }) as const;
    const ask = (port: number, name: string) =>
      askAll({ server: at(port), transport: 'udp' }, [composeQuery(questionOf(name))], () => {});
    const stop = new AbortController();
    const seen = new Set<string>();
    /** Asks until both senders have been heard. */
    const clients = (async () => {
      while (!stop.signal.aborted) {
        await ask(theirPort!, 'other');
        await ask(ourPort!, 'same');
      }
    })();
    async function* questions() {
      for await (const question of live.questions) {
        seen.add(question.name);
        yield question;
        if (seen.has(`same.${ZONE}`) && seen.has(`other.${ZONE}`)) stop.abort();
      }
    }
    const { tally, failure } = await shadow(
      questions(),
      {
        ...{ coreDns: at(theirPort!), healthdns: at(ourPort!), zone: ZONE, pods: 'insecure' },
        ...{ perSecond: 1_000, againMs: 0, examples: 3, echoes: 2 },
      },
      { clock: systemClock, stop: stop.signal, readWorld: async () => emptyWorld(ZONE) },
    );
    stop.abort();
    await clients;
    assert.equal(failure, undefined, healthdns.stderr());
    assert.deepEqual([tally.unexplained.distinct, tally.unexplained.examples[0]?.question.name], [1, `other.${ZONE}`]);
    assert.ok(tally.same + tally.sameRecords > 0);
  },
);

const questionOf = (name: string): Question => ({ name: `${name}.${ZONE}`, type: 'A', way: { transport: 'udp' } });
