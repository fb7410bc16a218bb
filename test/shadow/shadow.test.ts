import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { FLAG, RCODE } from '../../src/dns/types.ts';
import type { Question } from '../../src/shadow/answers/question.ts';
import { emptyWorld } from '../../src/shadow/cluster/world.ts';
import { formatReport } from '../../src/shadow/report.ts';
import { type ShadowResult, type ShadowSettings, shadow } from '../../src/shadow/shadow.ts';
import { type Asked, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

const ZONE = 'cluster.local.';
const way = { transport: 'udp' } as const;
const question = (name: string): Question => ({ name: `${name}.cluster.local.`, type: 'A', way });

/** The address of a name; undefined: NXDOMAIN. */
type Answers = (asked: Asked) => string | undefined;

function answering(answers: Answers): (asked: Asked) => void {
  return (asked) => {
    const address = answers(asked);
    const name = asked.text.split(' ')[0];
    const parts = address === undefined ? { rcode: RCODE.NXDOMAIN } : { answers: `${name} 5 IN A ${address}` };
    asked.send(asked.reply({ flags: FLAG.QR | FLAG.AA | FLAG.RD, ...parts }));
  };
}

async function startServer(t: TestContext, answers: Answers) {
  const server = await startScriptedUpstream(answering(answers));
  t.after(() => server.close());
  return { server, address: { address: '127.0.0.1', port: server.port, family: 4 } as const };
}

interface Options extends Partial<ShadowSettings> {
  readonly stop?: AbortSignal;
  readonly worldRead?: () => void;
}

async function* stream(...questions: readonly Question[]): AsyncGenerator<Question> {
  yield* questions;
}

async function run(
  t: TestContext,
  questions: AsyncIterable<Question>,
  [theirs, ours]: readonly [Answers, Answers],
  { stop = new AbortController().signal, worldRead = () => {}, ...settings }: Options = {},
) {
  const [coreDns, healthdns] = [await startServer(t, theirs), await startServer(t, ours)];
  const result = await shadow(
    questions,
    {
      ...{ coreDns: coreDns.address, healthdns: healthdns.address, zone: ZONE, pods: 'insecure' },
      ...{ perSecond: 10_000, againMs: 0, examples: 5, ...settings },
    },
    {
      clock: systemClock,
      stop,
      readWorld: async () => {
        worldRead();
        return emptyWorld(ZONE);
      },
    },
  );
  const asked = (server: typeof coreDns) =>
    server.server.asked.map(({ text }) => text).filter((text) => text.endsWith(' A'));
  return { ...result, asked: { coreDns: asked(coreDns), healthdns: asked(healthdns) } };
}

const report = (result: ShadowResult) => formatReport({ ...result, inputs: [], dropped: 0 });
const same: Answers = () => '10.0.0.1';

test('repeated questions are sent once to each server, and counted', async (t) => {
  const questions = ['a', 'b', 'a', 'a', 'B'].map(question);
  const { tally, asked } = await run(t, stream(...questions), [same, same]);
  assert.deepEqual([tally.asked, tally.distinct, tally.same, tally.unexplained.count], [5, 3, 5, 0]);
  assert.deepEqual(asked.coreDns.sort(), ['B.cluster.local. A', 'a.cluster.local. A', 'b.cluster.local. A']);
  assert.deepEqual(asked.healthdns.sort(), asked.coreDns);
});

test('a difference without a reason is counted as often as it was asked, and shown with both sides', async (t) => {
  const ours: Answers = ({ text }) => (text.startsWith('b.') ? '10.0.0.2' : '10.0.0.1');
  const result = await run(t, stream(...['a', 'b', 'b'].map(question)), [same, ours]);
  const { unexplained } = result.tally;
  assert.deepEqual([unexplained.count, unexplained.distinct, result.tally.same], [2, 1, 1]);
  assert.match(
    report(result),
    /b\.cluster\.local\. A over UDP, without EDNS\n {4}- answer b\.cluster\.local\. 5 A 10\.0\.0\.1\n {4}\+ answer b\.cluster\.local\. 5 A 10\.0\.0\.2$/m,
  );
});

test('a difference that is gone when asked again counts as changed, after the cluster was read anew', async (t) => {
  let asked = 0;
  let read = 0;
  const ours: Answers = ({ text }) => (text.startsWith('a.') && ++asked === 1 ? '10.0.0.9' : '10.0.0.1');
  const { tally } = await run(t, stream(question('a')), [same, ours], { worldRead: () => read++ });
  assert.deepEqual([tally.changed, tally.unexplained.count, read], [1, 0, 2]);
});

test('TTLs that count down in the cache of CoreDNS, and RA, are slight differences', async (t) => {
  const theirs = await startServer(t, same);
  theirs.server.script = (asked) =>
    asked.send(
      asked.reply({ flags: FLAG.QR | FLAG.AA | FLAG.RD, answers: `${asked.text.split(' ')[0]} 3 IN A 10.0.0.1` }),
    );
  const ours = await startServer(t, same);
  ours.server.script = (asked) =>
    asked.send(
      asked.reply({
        flags: FLAG.QR | FLAG.AA | FLAG.RD | FLAG.RA,
        answers: `${asked.text.split(' ')[0]} 5 IN A 10.0.0.1`,
      }),
    );
  const settings = { coreDns: theirs.address, healthdns: ours.address, zone: ZONE, pods: 'insecure' } as const;
  const { tally } = await shadow(
    stream(question('a')),
    { ...settings, perSecond: 1_000, againMs: 0, examples: 1 },
    { clock: systemClock, stop: new AbortController().signal, readWorld: async () => emptyWorld(ZONE) },
  );
  assert.deepEqual([tally.sameRecords, tally.withReasons, tally.unexplained.count], [1, 0, 0]);
  assert.deepEqual([...tally.explained.keys()], ['recursion-available', 'cached-ttl']);
});

test('answers to forwarded names may differ in their records, but not in whether there are any', async (t) => {
  const external = (name: string): Question => ({ name, type: 'A', way });
  const ours: Answers = ({ text }) => (text.startsWith('absent.') ? undefined : '192.0.2.2');
  const { tally } = await run(t, stream(external('www.example.'), external('absent.example.')), [same, ours]);
  assert.deepEqual([...tally.explained.keys()], ['forwarded-answer']);
  assert.deepEqual(
    tally.unexplained.examples.map(({ question: { name } }) => name),
    ['absent.example.'],
  );
});

test('the same truncated answer over UDP is compared over TCP', async (t) => {
  const truncating = (whole: string) => (asked: Asked) => {
    const flags = FLAG.QR | FLAG.AA | FLAG.RD;
    const isUdp = asked.transport === 'udp';
    const address = isUdp ? '10.0.0.1' : whole;
    asked.send(
      asked.reply({ flags: isUdp ? flags | FLAG.TC : flags, answers: `${asked.text.split(' ')[0]} 5 IN A ${address}` }),
    );
  };
  const [theirs, ours] = [await startServer(t, same), await startServer(t, same)];
  theirs.server.script = truncating('10.0.0.1');
  ours.server.script = truncating('10.0.0.2');
  const settings = { coreDns: theirs.address, healthdns: ours.address, zone: ZONE, pods: 'insecure' } as const;
  const { tally } = await shadow(
    stream(question('a')),
    { ...settings, perSecond: 1_000, againMs: 0, examples: 1 },
    { clock: systemClock, stop: new AbortController().signal, readWorld: async () => emptyWorld(ZONE) },
  );
  assert.equal(tally.unexplained.count, 1);
});

test('a server that does not answer at all is named before anything is asked', async (t) => {
  const silent = await startScriptedUpstream();
  t.after(() => silent.close());
  const { address } = await startServer(t, same);
  const healthdns = { ...address, port: silent.port };
  const { failure, tally } = await shadow(
    stream(question('a')),
    { coreDns: address, healthdns, zone: ZONE, pods: 'insecure', perSecond: 1_000, againMs: 0, examples: 1 },
    { clock: systemClock, stop: new AbortController().signal, readWorld: async () => emptyWorld(ZONE) },
  );
  assert.equal(failure, `127.0.0.1:${silent.port} does not reply over UDP`);
  assert.equal(tally.asked, 0);
});

test('a server that falls silent ends the run, with what was compared before', async (t) => {
  let isSilent = false;
  const { server, address } = await startServer(t, same);
  const answer = server.script;
  server.script = (asked) => isSilent || answer(asked);
  const other = await startServer(t, same);
  async function* questions() {
    for (let number = 0; number < 500; number++) yield question(`n${number}`);
    await until(() => server.asked.length, 501); // with the first question of all
    isSilent = true;
    for (let number = 500; number < 1_000; number++) yield question(`n${number}`);
  }
  const { failure, tally } = await shadow(
    questions(),
    {
      coreDns: address,
      healthdns: other.address,
      zone: ZONE,
      pods: 'insecure',
      perSecond: 1e6,
      againMs: 0,
      examples: 1,
    },
    { clock: systemClock, stop: new AbortController().signal, readWorld: async () => emptyWorld(ZONE) },
  );
  assert.match(failure ?? '', new RegExp(`^127.0.0.1:${server.port} no longer replies over UDP`));
  assert.equal(tally.same, 500);
});

test('own queries that servers report live are not taken for questions', async (t) => {
  let asked = 0;
  let again = () => {};
  const bothAsked = new Promise<void>((resolve) => {
    again = resolve;
  });
  const answers: Answers = ({ text }) => {
    if (text.startsWith('a.') && ++asked === 2) again();
    return '10.0.0.1';
  };
  async function* reported() {
    yield question('a');
    await bothAsked;
    yield question('a'); // of CoreDNS
    yield question('a'); // of healthdns
    yield question('a'); // of a client
  }
  const { tally } = await run(t, reported(), [answers, answers], { echoes: 2 });
  assert.deepEqual([tally.asked, tally.same, asked], [2, 2, 2]);
});

test('a stream that does not end is compared as it arrives, until it is stopped', async (t) => {
  const stop = new AbortController();
  async function* endless() {
    yield question('a');
    await new Promise(() => {});
  }
  const ours: Answers = ({ text }) => {
    if (text.startsWith('a.')) stop.abort();
    return '10.0.0.1';
  };
  const { tally } = await run(t, endless(), [same, ours], { stop: stop.signal });
  assert.deepEqual([tally.asked, tally.same], [1, 1]);
});
