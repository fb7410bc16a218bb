// What `explain` says of a name is what the data plane answers, whatever there is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import { parseType, RCODE, TYPE, typeName } from '../../src/dns/types.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import type { Outcome, RRsetAnswer } from '../../src/zone/explain/answers.ts';
import type { NameExplanation } from '../../src/zone/explain/explain.ts';
import { Zones } from '../../src/zone/zones.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { configurations, type Step, step } from '../support/zone-world.ts';

const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'CNAME', 'NS', 'SOA', 'MX'];
const RCODES: Record<Exclude<Outcome, 'answered'>, number> = {
  NODATA: RCODE.NOERROR,
  NXDOMAIN: RCODE.NXDOMAIN,
  SERVFAIL: RCODE.SERVFAIL,
};

test('for every name and type, explain reports what is answered', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30 }),
      fc.nat(3),
      fc.array(fc.constantFrom('HEALTHY', 'HEALTHY', 'UNHEALTHY'), { minLength: 1, maxLength: 7 }),
      fc.array(fc.constantFrom(true, true, true, false), { minLength: 1, maxLength: 3 }),
      async (steps, configuration, statuses, ready) => {
        const world = answeringWorld(configuration);
        for (const each of steps) world.apply(each);
        world.judge(statuses);
        world.setReady(ready);
        await world.flush();
        for (const name of world.names()) {
          const explanation = world.explain(name);
          for (const type of TYPES) assertSame(explanation, type, world);
        }
      },
    ),
    { numRuns: 60 },
  );
});

type World = ReturnType<typeof answeringWorld>;

function assertSame(explanation: NameExplanation, type: string, { ask, explain }: World): void {
  const { name } = explanation;
  const { rcode, answers } = ask(name, type);
  const what = `${name} ${type}: ${JSON.stringify(explanation)}`;
  assert.equal(rcode, expectedRcode(explanation, type, explain), what);
  const said = answerTo(explanation, type);
  const own = answers.filter((record) => formatName(record.name) === name);
  assert.deepEqual(
    [...new Set(own.map((record) => typeName(record.type)))],
    said === undefined ? [] : [said.type],
    what,
  );
  if (said === undefined) return;
  const texts = own.map((record) => formatRdata(record.type, record.rdata));
  for (const text of texts) assert.ok(said.answered.includes(text), `${what} ${text}`);
  const most = said.answered.length;
  assert.equal(texts.length, said.atMost > 0 ? Math.min(said.atMost, most) : most, what);
  for (const record of own) assert.equal(record.ttlSeconds, said.ttlSeconds, what);
}

/** What a question of the type is answered with, an alias in place of the type. */
function answerTo({ rrsets, exists }: NameExplanation, type: string): RRsetAnswer | undefined {
  if (exists === 'delegated') return undefined;
  const asked = rrsets.find((one) => one.type === type) ?? rrsets.find((one) => one.type === 'CNAME');
  return asked?.outcome === 'answered' ? asked : undefined;
}

function expectedRcode(
  explanation: NameExplanation,
  type: string,
  explain: World['explain'],
  seen: ReadonlySet<string> = new Set(),
): number {
  const { name, zone, exists, rrsets, otherwise, alias } = explanation;
  if (zone === undefined) return seen.size === 0 ? RCODE.REFUSED : RCODE.NOERROR;
  if (exists === 'delegated' || seen.has(name)) return RCODE.NOERROR;
  const own = rrsets.find((one) => one.type === type);
  const asked = own ?? rrsets.find((one) => one.type === 'CNAME');
  const outcome = asked?.outcome ?? otherwise;
  if (outcome !== 'answered') return RCODES[outcome];
  if (own !== undefined || alias === undefined) return RCODE.NOERROR;
  return expectedRcode(explain(alias), type, explain, new Set([...seen, name]));
}

function answeringWorld(configuration: number) {
  const plane = createInProcessPlane();
  const told = new Set<string>();
  const clock = fakeClock();
  const registry = createRegistry(plane.slots);
  const health = new HealthSync({ registry, slots: plane.slots, clock, schedule() {} });
  const zones = new Zones({
    registry,
    plane: {
      slots: plane.slots,
      apply(changes) {
        for (const change of changes) if (change.kind === 'replace-name') told.add(formatName(change.records.name));
        return plane.apply(changes);
      },
    },
    zones: configurations[configuration],
    clock,
    random: () => 0.5,
    nameServerAddresses: ['127.0.0.1'],
  });

  return {
    explain: (name: string) => zones.explain(name),
    apply(each: Step): void {
      if (each.do !== 'group') registry.replaceService(each.service);
      const { key } = each.service;
      if (each.do === 'remove') registry.removeGroup(key);
      else if (each.do !== 'service') registry.replaceGroup(key, key, each.instances);
    },
    /** Each instance has the next of the statuses. */
    judge(statuses: readonly ('HEALTHY' | 'UNHEALTHY')[]): void {
      let next = 0;
      for (const { key, instances } of registry.services()) {
        for (const { instance } of instances.values()) {
          const fact = { source: 'check', status: statuses[next++ % statuses.length], reason: '', sinceMs: 0 } as const;
          registry.replaceFacts(`instance/${key}/${instance.id}`, 'check', [fact]);
        }
      }
    },
    setReady(ready: readonly boolean[]): void {
      configurations[configuration].forEach(({ name }, i) => {
        zones.setState(name, { ready: ready[i % ready.length], stale: false });
      });
    },
    async flush(): Promise<void> {
      health.flush();
      await zones.flush();
      health.flush();
      await zones.flush();
    },
    /** What exists, or did; what is nearly so; services that say nothing. */
    names(): Set<string> {
      const names = new Set(['.', 'example.com.', 'cluster.local.', 'in-addr.arpa.', '9.0.0.10.in-addr.arpa.']);
      for (const name of told) for (const label of ['', 'x.', '_http._tcp.', '*.']) names.add(`${label}${name}`);
      for (const { service } of registry.services()) {
        names.add(`${service?.name.replaceAll(' ', '')}.${service?.namespace}.svc.cluster.local.`);
      }
      for (const address of ['10-0-0-1', '010-0-0-1', 'fd00--1', 'fd00-', '1-2-3-4-5-6-7-8', 'a-b']) {
        for (const pods of ['a.pod.cluster.local.', 'b.pod.prod.cluster.local.']) names.add(`${address}.${pods}`);
      }
      return names;
    },
    ask(name: string, type: string): Message {
      const question = { name: parseName(name), type: parseType(type) ?? TYPE.A, class: 1 };
      const response = plane.respond(composeMessage({ id: 1, questions: [question] }), 'tcp');
      assert.ok(response);
      return parseMessage(response);
    },
  };
}
