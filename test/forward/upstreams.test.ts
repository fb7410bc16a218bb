// Servers that are dead, slow, flapping, or lead back to us.
import assert from 'node:assert/strict';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { EDE, RCODE, TYPE } from '../../src/dns/types.ts';
import { type OpenSocket, openDatagram } from '../../src/native/connected-datagram.ts';
import { ROUTE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { temporaryFolder } from '../support/command.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { edeOf, forwarder, respondTo, routeTo, upstream } from '../support/forwarding.ts';
import { type Asked, answerFrom, SOA, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { assertRecords } from '../support/zone-text.ts';

const WWW = 'www.example. 300 IN A 192.0.2.1';

test('a silent upstream server leads to the next after its attempt timeout, and may still answer', async () => {
  const clock = fakeClock();
  const held: Asked[] = [];
  const slow = await upstream((asked) => held.push(asked));
  const second = await upstream();
  const { ask } = forwarder([slow, second], { clock });
  const waiting = ask('www.example. A');
  await until(() => held.length, 1);
  await clock.advance(500);
  await until(() => second.asked.length, 1);
  answerFrom(WWW)(held[0]);
  assertRecords((await waiting).answers, WWW);
});

test('if all upstream servers are silent, the answer is SERVFAIL with EDE 22 at the deadline', async () => {
  const clock = fakeClock();
  const one = await upstream();
  const { ask, forwarder: made } = forwarder([one], { clock });
  const waiting = ask('www.example. A');
  await clock.advance(ROUTE_DEFAULTS.deadlineMs + 50);
  const response = await waiting;
  assert.deepEqual([response.rcode, edeOf(response)], [RCODE.SERVFAIL, EDE.NO_REACHABLE_AUTHORITY]);
  assert.equal(made.gauges().waiting, 0);
});

test('an upstream server that failed twice is taken out of use, probed, and used again after a reply', async () => {
  const clock = fakeClock();
  const first = await upstream();
  const second = await upstream(answerFrom(`${WWW}\nb.example. 1 IN A 192.0.2.2\nc.example. 1 IN A 192.0.2.3`));
  const { ask, forwarder: made } = forwarder([first, second], { clock });
  for (const name of ['a.example. A', 'b.example. A']) {
    const waiting = ask(name);
    await until(() => first.asked.some((asked) => asked.text === name), true);
    await clock.advance(1600);
    await waiting;
  }
  await until(() => made.upstreams()[0].up, 0);
  assert.match(made.upstreams()[0].reason, /^(no reply in time|health check timed out)$/);
  const before = first.asked.filter(({ text }) => text !== '. NS').length;
  await ask('c.example. A');
  assert.equal(first.asked.filter(({ text }) => text !== '. NS').length, before, 'it is not asked while it is down');
  first.script = answerFrom('d.example. 1 IN A 192.0.2.4');
  await clock.advance(2000);
  await until(() => made.upstreams()[0].up, 1);
  assertRecords((await ask('d.example. A')).answers, 'd.example. 1 IN A 192.0.2.4');
});

test('each attempt that is not answered counts against its server once', async () => {
  const clock = fakeClock();
  const silent = [await upstream(), await upstream()];
  const { ask, forwarder: made } = forwarder(silent, { clock, route: { maxFails: 0 } });
  const answer = ask('www.example. A');
  await clock.advance(ROUTE_DEFAULTS.deadlineMs + 100);
  assert.equal((await answer).rcode, RCODE.SERVFAIL);
  for (const { requests, failures } of made.upstreams()) {
    assert.ok(requests > 1);
    assert.ok(failures <= requests, `${failures} failures of ${requests} requests`);
  }
});

test('if all upstream servers are down, they are tried anyway, unless failFast is set', async () => {
  for (const failFast of [false, true]) {
    const one = await upstream(answerFrom(WWW));
    const { ask, forwarder: made } = forwarder([{ port: one.port }], {
      route: { failFast, maxFails: 1, forceTcp: true, probe: { ...ROUTE_DEFAULTS.probe, intervalMs: 3_600_000 } },
    });
    one.script = (asked) => asked.reset();
    assert.equal((await ask('x.example. A')).rcode, RCODE.SERVFAIL);
    assert.equal(made.upstreams()[0].up, 0);
    one.script = answerFrom(WWW);
    assert.equal((await ask('www.example. A')).rcode, failFast ? RCODE.SERVFAIL : RCODE.NOERROR);
  }
});

test('a server that answers other questions is not down because it is slow for one name', async () => {
  const clock = fakeClock();
  const one = await upstream((asked) => {
    if (!asked.text.startsWith('slow')) answerFrom('')(asked);
  });
  const { ask, forwarder: made } = forwarder([one], { clock, route: { maxFails: 1 } });
  const slow = ask('slow.example. A');
  await until(() => one.asked.length, 1);
  await clock.advance(100);
  await ask('other.example. A');
  await clock.advance(300);
  await until(() => one.asked.filter(({ text }) => text.startsWith('slow')).length, 2);
  const [{ up, failures }] = made.upstreams();
  assert.deepEqual([up, failures], [1, 1]);
  await clock.advance(5000);
  assert.equal((await slow).rcode, RCODE.SERVFAIL);
});

test('round-robin starts with a different server each time', async () => {
  const script = (asked: Asked) => asked.send(asked.reply({ rcode: 3, authorities: SOA }));
  const servers = [await upstream(script), await upstream(script), await upstream(script)];
  const { ask } = forwarder(servers, { clock: fakeClock(), route: { policy: 'round-robin' } });
  for (let i = 0; i < 9; i++) await ask(`n${i}.example. A`);
  assert.deepEqual(
    servers.map(({ asked }) => asked.length),
    [3, 3, 3],
  );
});

test('TCP connections are reused, with many queries in flight, answered in any order', async () => {
  const held: Asked[] = [];
  const one = await upstream((asked) => held.push(asked));
  const { ask } = forwarder([one], { route: { forceTcp: true } });
  const waiting = Promise.all(Array.from({ length: 20 }, (_, i) => ask(`n${i}.example. A`)));
  await until(() => held.length, 20);
  for (const asked of held.reverse()) asked.send(asked.reply({ rcode: 3, authorities: SOA }));
  await waiting;
  assert.deepEqual([...new Set(one.asked.map(({ transport }) => transport))], ['tcp']);
  assert.equal(new Set(one.asked.map(({ port }) => port)).size, 1);
});

test('a TCP connection is not idle while a query waits for its answer', async () => {
  const clock = fakeClock();
  const one = await upstream();
  const { ask } = forwarder([one], { clock, route: { forceTcp: true, idleMs: 500, attemptTimeoutMs: 4_000 } });
  const answer = ask('www.example. A');
  await until(() => one.asked.length, 1);
  await clock.advance(1_500);
  one.asked[0].send(one.asked[0].reply({ answers: WWW }));
  assert.equal((await answer).answers.length, 1);
  assert.equal(one.asked.length, 1);
});

test('a TCP connection that is reset fails its queries, which are retried', async () => {
  let resets = 0;
  const one = await upstream((asked) => (resets++ === 0 ? asked.reset() : answerFrom(WWW)(asked)));
  const { ask } = forwarder([one], { route: { forceTcp: true } });
  assertRecords((await ask('www.example. A')).answers, WWW);
});

test('a server is not marked down for lack of local resources', async () => {
  const clock = fakeClock();
  const one = await upstream();
  const { ask, forwarder: made } = forwarder([one], {
    clock,
    route: { forceTcp: true },
    settings: { maxConcurrent: 10_000 },
  });
  let refused = 0;
  for (let i = 0; i < 4200; i++) void ask(`n${i}.example. A`).then(() => refused++);
  await until(() => refused, 4200 - 4096);
  const [{ up, failures, requests }] = made.upstreams();
  assert.deepEqual([up, failures, requests], [1, 0, 4200]);
});

const UNREADABLE: Record<string, (asked: Asked) => Uint8Array> = {
  noise: () => Uint8Array.from({ length: 300 }, (_, i) => (i * 7919) & 0xff),
  'a header cut short': (asked) => asked.reply({}).subarray(0, 11),
  'no bytes': () => new Uint8Array(0),
  'another question': (asked) => asked.reply({ questions: [{ ...asked.query.questions[0], type: 28 }], answers: '' }),
  'another ID': (asked) => asked.reply({ id: asked.query.id ^ 1, answers: WWW }),
};

for (const [what, compose] of Object.entries(UNREADABLE)) {
  test(`a TCP connection on which ${what} arrives is closed, and the next server is queried at once`, async () => {
    // The clock stands still: nothing is waited for.
    const clock = fakeClock();
    const bad = await upstream((asked) => asked.send(compose(asked)));
    const next = await upstream(answerFrom(WWW));
    const { ask, forwarder: made } = forwarder([bad, next], { clock, route: { forceTcp: true } });
    assertRecords((await ask('www.example. A')).answers, WWW);
    assert.equal(made.upstreams()[0].ignored, 1);
    assert.equal(made.gauges().sockets, 1);
  });
}

test('invalid replies over TCP from all servers are SERVFAIL with EDE 24 at once', async () => {
  const bad = await upstream((asked) => asked.send(new Uint8Array(5)));
  const { ask } = forwarder([bad], { clock: fakeClock(), route: { forceTcp: true } });
  const response = await ask('www.example. A');
  assert.deepEqual([response.rcode, edeOf(response)], [RCODE.SERVFAIL, EDE.INVALID_DATA]);
});

test('a TCP reply that is duplicated or too late does not close the connection', async () => {
  const clock = fakeClock();
  const held: Asked[] = [];
  const one = await upstream((asked) => {
    if (asked.text.startsWith('slow')) held.push(asked);
    else {
      for (const late of held.splice(0)) answerFrom('')(late);
      answerFrom(WWW)(asked);
      answerFrom(WWW)(asked);
    }
  });
  const { ask, forwarder: made } = forwarder([one], {
    clock,
    route: { forceTcp: true, attempts: 1, idleMs: 60_000, probe: { ...ROUTE_DEFAULTS.probe, intervalMs: 0 } },
  });
  const slow = ask('slow.example. A');
  await until(() => held.length, 1);
  await clock.advance(ROUTE_DEFAULTS.deadlineMs + 50);
  await slow;
  for (const name of ['www.example. A', 'a.example. A', 'b.example. A']) await ask(name);
  assert.equal(made.upstreams()[0].socketsOpened, 1);
  assert.ok(made.upstreams()[0].ignored >= 3);
});

test('a TCP connection that has gone silent is replaced', async () => {
  const clock = fakeClock();
  let first = 0;
  const one = await upstream((asked) => {
    if (first === 0) first = asked.port;
    if (asked.port !== first || one.asked.length === 1) answerFrom(WWW)(asked);
  });
  const { ask } = forwarder([one], {
    clock,
    route: { forceTcp: true, probe: { ...ROUTE_DEFAULTS.probe, intervalMs: 0 } },
  });
  await ask('www.example. A');
  const lost = Promise.all([1, 2, 3].map((i) => ask(`n${i}.example. A`)));
  await until(() => one.asked.length >= 4, true);
  await clock.advance(ROUTE_DEFAULTS.deadlineMs + 50);
  assert.deepEqual(
    (await lost).map(({ rcode }) => rcode),
    [RCODE.SERVFAIL, RCODE.SERVFAIL, RCODE.SERVFAIL],
  );
  assert.equal((await ask('n4.example. A')).rcode, RCODE.NXDOMAIN);
});

test('a server that answers EDNS with FORMERR is queried without it', async () => {
  const one = await upstream((asked) =>
    asked.query.edns ? asked.send(asked.reply({ rcode: RCODE.FORMERR })) : answerFrom(WWW)(asked),
  );
  const { ask } = forwarder([one]);
  assertRecords((await ask('www.example. A')).answers, WWW);
  await ask('b.example. A');
  assert.deepEqual(
    one.asked.map(({ query }) => query.edns !== undefined),
    [true, false, false],
  );
});

for (const rcode of [RCODE.FORMERR, RCODE.NOTIMP]) {
  test('a server that drops queries with EDNS is queried without it, starting with the next query', async () => {
    const clock = fakeClock();
    const one = await upstream((asked) => {
      if (asked.query.edns === undefined) answerFrom(`${WWW}\nb.example. 300 IN A 192.0.2.2`)(asked);
    });
    const { ask } = forwarder([one], { clock });
    const waiting = ask('www.example. A');
    await clock.advance(3000);
    assertRecords((await waiting).answers, WWW);
    const asked = one.asked.length;
    assertRecords((await ask('b.example. A')).answers, 'b.example. 300 IN A 192.0.2.2');
    assert.equal(one.asked.slice(asked).find(({ text }) => text === 'b.example. A')?.query.edns, undefined);
  });

  test('a server that was only silent for a while is queried with EDNS again a second later', async () => {
    const clock = fakeClock();
    const one = await upstream();
    const { ask } = forwarder([one], { clock });
    const waiting = ask('www.example. A');
    await until(() => one.asked.length, 1);
    await clock.advance(800);
    // The second attempt has gone out with EDNS, the third goes without.
    one.script = answerFrom(`${WWW}\nb.example. 300 IN A 192.0.2.2`);
    await clock.advance(2000);
    assertRecords((await waiting).answers, WWW);
    await clock.advance(2000);
    await ask('b.example. A');
    assert.notEqual(one.asked.find(({ text }) => text === 'b.example. A')?.query.edns, undefined);
  });

  test('a server that has answered queries with EDNS is never queried without', async () => {
    const clock = fakeClock();
    const one = await upstream(answerFrom(WWW));
    const { ask } = forwarder([one], { clock, route: { maxFails: 0 } });
    await ask('www.example. A');
    one.script = () => {};
    const waiting = ask('b.example. A');
    await clock.advance(4600);
    await waiting;
    assert.ok(one.asked.length > 4 && one.asked.every(({ query }) => query.edns !== undefined));
  });

  test(`a server that answers EDNS with a header alone, rcode ${rcode}, is queried without it`, async () => {
    const header = (asked: Asked) => asked.reply({ rcode, questions: [] }).subarray(0, 12);
    const one = await upstream((asked) => (asked.query.edns ? asked.send(header(asked)) : answerFrom(WWW)(asked)));
    const { ask } = forwarder([one]);
    assertRecords((await ask('www.example. A')).answers, WWW);
  });
}

test('a server that fails when queried without EDNS leads to the next', async () => {
  const bad = await upstream((asked) =>
    asked.query.edns ? asked.send(asked.reply({ rcode: RCODE.FORMERR })) : asked.reset(),
  );
  const next = await upstream(answerFrom(WWW));
  const { ask, forwarder: made } = forwarder([bad, next], { route: { forceTcp: true, attempts: 1 } });
  assertRecords((await ask('www.example. A')).answers, WWW);
  assert.equal(made.counters.bugs, 0);
});

test('an exception while handling a reply fails that attempt, is counted, and is logged once', async () => {
  const one = await upstream(answerFrom(`${WWW}\nb.example. 300 IN A 192.0.2.2`));
  const { forwarder: made, logged, ask } = forwarder([one]);
  const thrown = (name: string) =>
    new Promise<void>((resolve) =>
      made.resolveTarget(parseName(name), TYPE.A, false, undefined, () => {
        resolve();
        throw new Error('a mistake');
      }),
    );
  await thrown('www.example.');
  await thrown('b.example.');
  await until(() => made.counters.bugs, 2);
  assert.deepEqual(
    logged.map((line) => line.split('\n')[0]),
    ['error internal error while forwarding: Error: a mistake'],
  );
  assert.equal((await ask('c.example. A')).rcode, RCODE.NXDOMAIN);
  assert.deepEqual([made.gauges().waiting, made.upstreams()[0].failures], [0, 0]);
});

test('a burst to a closed port fails at once, including queries sent before the error was reported', async () => {
  const clock = fakeClock();
  const sent: number[] = [];
  const openSocket: OpenSocket = () => {
    const socket = sent.push(0) - 1;
    // As the kernel does: that one datagram was refused is said when the next is sent, and not again.
    return { send: () => ++sent[socket] > 1, close() {} };
  };
  const { ask } = forwarder([{ port: 53 }], { clock, openSocket, route: { maxFails: 0 } });
  const rcodes: number[] = [];
  for (let i = 0; i < 100; i++) void ask(`n${i}.example. A`).then(({ rcode }) => rcodes.push(rcode));
  await clock.advance(40);
  const told = sent.filter((count) => count > 1).reduce((sum, count) => sum + count, 0);
  assert.deepEqual(rcodes, new Array(told).fill(RCODE.SERVFAIL));
});

test('an upstream server is not marked down for lack of descriptors, and open sockets remain in use', async () => {
  const clock = fakeClock();
  const one = await upstream(answerFrom(WWW));
  let opened = 0;
  let mayOpen = 0;
  const openSocket: OpenSocket = (...socket) => {
    if (opened === mayOpen) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
    opened++;
    return openDatagram(...socket);
  };
  const { ask, forwarder: made } = forwarder([one], { clock, openSocket, route: { maxFails: 1 } });
  const failed: number[] = [];
  void ask('a.example. A').then(({ rcode }) => failed.push(rcode));
  await clock.advance(ROUTE_DEFAULTS.deadlineMs + 100);
  await until(() => failed, [RCODE.SERVFAIL]);
  assert.deepEqual([made.upstreams()[0].up, made.upstreams()[0].failures, one.asked.length], [1, 0, 0]);
  mayOpen = 1;
  for (let i = 0; i < 20; i++) assert.notEqual((await ask(`n${i}.example. A`)).rcode, RCODE.SERVFAIL);
  assert.deepEqual([opened, one.asked.length], [1, 20]);
});

test('a server that refuses connections is not waited for because of earlier queries', async () => {
  const clock = fakeClock();
  const one = await startScriptedUpstream();
  const { ask } = forwarder([one], { clock, route: { maxFails: 0 } });
  const rcodes: number[] = [];
  void ask('www.example. A').then(({ rcode }) => rcodes.push(rcode));
  await until(() => one.asked.length, 1);
  await one.close();
  await clock.advance(ROUTE_DEFAULTS.attemptTimeoutMs + 100);
  await until(() => rcodes, [RCODE.SERVFAIL]);
});

test('the longest matching zone selects the upstream; excluded and other names are REFUSED', async () => {
  const [corp, lab] = [await upstream(answerFrom('a.corp.test. 1 IN A 10.0.0.1')), await upstream(answerFrom(''))];
  const { ask } = forwarder([], {
    routes: [routeTo('corp.test.', [corp.port], { except: ['no.corp.test.'] }), routeTo('lab.corp.test.', [lab.port])],
  });
  await ask('a.corp.test. A');
  await ask('b.LAB.corp.test. A');
  assert.equal((await ask('x.no.corp.test. A')).rcode, RCODE.REFUSED);
  assert.equal((await ask('xcorp.test. A')).rcode, RCODE.REFUSED);
  assert.deepEqual(
    [corp.asked.map(({ text }) => text), lab.asked.map(({ text }) => text)],
    [['a.corp.test. A'], ['b.lab.corp.test. A']],
  );
});

test('a CNAME that an authoritative upstream leaves unresolved is followed', async () => {
  const corp = await upstream(answerFrom(''));
  corp.script = (asked) => asked.send(asked.reply({ answers: 'www.corp.test. 60 IN CNAME www.example.' }));
  const internet = await upstream(answerFrom(WWW));
  const { ask } = forwarder([], { routes: [routeTo('corp.test.', [corp.port]), routeTo('.', [internet.port])] });
  assertRecords((await ask('www.corp.test. A')).answers, `www.corp.test. 60 IN CNAME www.example.\n${WWW}`);
});

const LINKS: Record<string, [link: (i: number) => string, questions: number]> = {
  'a loop of two names': [(i) => `n${i % 2}.corp.test. 60 IN CNAME n${(i + 1) % 2}.corp.test.`, 2],
  'a chain without end': [(i) => `n${i}.corp.test. 60 IN CNAME n${i + 1}.corp.test.`, 17],
};

for (const [what, [link, questions]] of Object.entries(LINKS)) {
  test(`${what}, delivered one link per reply, is SERVFAIL with EDE 24, cached as a failure`, async () => {
    const corp = await upstream((asked) =>
      asked.send(asked.reply({ answers: link(Number(/^n(\d+)/.exec(asked.text)?.[1])) })),
    );
    const { ask, cached } = forwarder([corp]);
    const response = await ask('n0.corp.test. A');
    assert.deepEqual([response.rcode, response.answers.length, edeOf(response)], [RCODE.SERVFAIL, 0, EDE.INVALID_DATA]);
    assert.equal(cached('n0.corp.test. A')?.rcode, RCODE.SERVFAIL);
    assert.equal(corp.asked.length, questions);
  });
}

test('a CNAME chain that is not resolved by the deadline is SERVFAIL, not a partial answer', async () => {
  const clock = fakeClock();
  const corp = await upstream((asked) => {
    if (asked.text.startsWith('a.')) asked.send(asked.reply({ answers: 'a.corp.test. 60 IN CNAME b.corp.test.' }));
  });
  const { ask } = forwarder([corp], { clock });
  const waiting = ask('a.corp.test. A');
  await until(() => corp.asked.length, 2);
  await clock.advance(ROUTE_DEFAULTS.deadlineMs + 50);
  const response = await waiting;
  assert.deepEqual([response.rcode, edeOf(response)], [RCODE.SERVFAIL, EDE.NO_REACHABLE_AUTHORITY]);
});

test('the nameservers of a resolv.conf are used, and reread after a change', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'resolv.conf');
  await writeFile(file, '# comment\nsearch example\nnameserver 127.0.0.53\nnameserver nonsense\n');
  const clock = fakeClock();
  const { forwarder: made } = forwarder([], { clock, route: { resolvConf: [file] } });
  const labels = () => made.upstreams().map((one) => one.upstream);
  await until(labels, ['127.0.0.53:53']);
  await writeFile(`${file}.new`, 'nameserver ::1\nnameserver 127.0.0.53\n');
  await rename(`${file}.new`, file);
  await until(async () => {
    await clock.advance(5000);
    return labels();
  }, ['[::1]:53', '127.0.0.53:53']);
});

test('a resolv.conf behind symbolic links is reread when a link is swapped, as in a ConfigMap mount', async (t) => {
  const folder = await temporaryFolder(t);
  const version = async (name: string, text: string) => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'resolv.conf'), text);
    await symlink(name, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  await version('..1', 'nameserver 127.0.0.53\n');
  await symlink('..data/resolv.conf', join(folder, 'resolv.conf'));
  const clock = fakeClock();
  const { forwarder: made } = forwarder([], { clock, route: { resolvConf: [join(folder, 'resolv.conf')] } });
  const labels = () => made.upstreams().map((one) => one.upstream);
  await until(labels, ['127.0.0.53:53']);
  await version('..2', 'nameserver 127.0.0.54\n');
  await rm(join(folder, '..1'), { recursive: true });
  await until(async () => {
    await clock.advance(5000);
    return labels();
  }, ['127.0.0.54:53']);
});

test('a loop is detected although the first query was sent before listening', async () => {
  const clock = fakeClock();
  const server = await upstream();
  const made = forwarder([server], { clock, settings: { loopDetection: true } });
  await clock.advance(1);
  await until(() => server.asked.length, 1);
  server.script = (asked) => {
    const query = Uint8Array.from(asked.bytes);
    let end = 12;
    while (query[end] !== 0) end += 1 + query[end];
    respondTo(made.forwarder, query, end + 5, 1232, (response) => asked.send(response.slice()));
  };
  await clock.advance(7000);
  await until(() => made.forwarder.counters.loops, 1);
});

test('a loop is detected, answered with an error while it lasts, and the upstream is used afterwards', async () => {
  const clock = fakeClock();
  const server = await upstream();
  const made = forwarder([server], { clock, settings: { loopDetection: true } });
  // The way back to us: what the upstream is asked, we are asked.
  const back = (asked: Asked) => {
    const query = Uint8Array.from(asked.bytes);
    let end = 12;
    while (query[end] !== 0) end += 1 + query[end];
    respondTo(made.forwarder, query, end + 5, 1232, (response) => asked.send(response.slice()));
  };
  server.script = back;
  await clock.advance(1);
  await until(() => made.forwarder.counters.loops, 1);
  assert.equal(made.forwarder.upstreams()[0].loops, true);
  assert.equal((await made.ask('www.example. A')).rcode, RCODE.SERVFAIL);
  server.script = answerFrom(WWW);
  await clock.advance(31_000);
  await until(() => made.forwarder.upstreams()[0].loops, false);
  assertRecords((await made.ask('www.example. A', { flags: 0x110 })).answers, WWW);
});
