// An agent in this process, asked without sockets; its replicas are on loopback.
import type { TestContext } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import type { NodeConfig } from '../../src/config/node-config.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { parseNameKeepingCase } from '../../src/dns/name.ts';
import { CLASS, FLAG, parseType } from '../../src/dns/types.ts';
import { silentLogger } from '../../src/log.ts';
import { type Agent, startAgent } from '../../src/node/agent.ts';
import { FORWARD_DEFAULTS, ROUTE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { sortedText } from './zone-text.ts';

export interface TestAgent extends Agent {
  /** "www.test. A" → the response. */
  ask(question: string): Promise<Message>;
  /** The same: the answer section as zone text, or the RCODE where it is empty. */
  answer(question: string): Promise<string>;
}

export interface AgentOptions {
  readonly clock: Clock;
  /** Ports on loopback. */
  readonly push: readonly number[];
  readonly dns?: readonly number[];
  /** For names outside the zones. */
  readonly forward?: number;
  readonly hold?: Partial<NodeConfig['hold']>;
  readonly random?: () => number;
  readonly zones?: readonly string[];
  /** undefined: plain TCP. */
  readonly tls?: NodeConfig['replicas']['tls'];
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

export function nodeConfig(options: Omit<AgentOptions, 'clock'>): NodeConfig {
  const onLoopback = (port: number) => ({ address: '127.0.0.1', port });
  const upstream = (port: number) => ({ ...onLoopback(port), tls: undefined });
  const forwarded = options.forward === undefined ? [] : [upstream(options.forward)];
  return {
    file: '/node.yaml',
    listen: [onLoopback(0)],
    http: [],
    logLevel: 'silent',
    zones: options.zones ?? ['test.'],
    replicas: { push: options.push.map(onLoopback), dns: (options.dns ?? []).map(upstream), tls: options.tls },
    hold: { rrsets: 1000, bytes: 1_000_000, unusedSeconds: 300, negativeSeconds: 5, ...options.hold },
    server: {
      udp: 'plain',
      versionBind: undefined,
      idServer: undefined,
      udpPayloadBytes: 1232,
      reusePort: false,
      errorText: true,
      lameduckSeconds: 0,
    },
    limits: {
      tcpConnections: 10,
      tcpIdleSeconds: 10,
      tcpTotalSeconds: 60,
      tcpUnreadBytes: 65_536,
      tcpUnreadTotalBytes: 1_048_576,
      forwardedQueries: 1000,
      forwardedQueriesPerClient: 1000,
      discardSeconds: 0,
      errorsPerSecond: 0,
      concurrentChecks: 1,
      httpBodyBytes: 1024,
      httpConnections: 10,
    },
    forward: {
      ...FORWARD_DEFAULTS,
      loopDetection: false,
      clients: { ...FORWARD_DEFAULTS.clients, errorsPerSecond: 0 },
      routes: forwarded.length === 0 ? [] : [{ ...ROUTE_DEFAULTS, zone: '.', upstreams: forwarded }],
    },
    front: undefined,
  };
}

export function startTestAgent(t: TestContext, options: AgentOptions): TestAgent {
  const { clock, random = () => 0.5 } = options;
  const agent = startAgent(nodeConfig(options), { clock, random, log: silentLogger });
  t.after(() => {
    agent.replicas.stop();
    for (const forwarder of agent.answering.engine.forwarders) forwarder.close();
  });
  const ask = (question: string) =>
    new Promise<Message>((resolve) => {
      const [name, type] = question.split(' ');
      const query = composeMessage({
        id: 7,
        flags: FLAG.RD,
        questions: [{ name: parseNameKeepingCase(name), type: parseType(type)!, class: CLASS.IN }],
        edns: { udpBytes: 1232, dnssecOk: false, version: 0, options: [] },
      });
      const out = new Uint8Array(65_535);
      const response = agent.answering.handler.respond(query, query.length, out, true);
      const done = (bytes: Uint8Array) => resolve(parseMessage(Uint8Array.from(bytes)));
      if (typeof response === 'number') done(out.subarray(0, response));
      else response.resolve(done, undefined);
    });
  return {
    ...agent,
    ask,
    async answer(question) {
      const { answers, rcode } = await ask(question);
      return answers.length > 0 ? sortedText(answers) : RCODES[rcode];
    },
  };
}
