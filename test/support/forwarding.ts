// A forwarder in this thread, asked in words and answering in zone text.
import { afterEach } from 'node:test';
import { type Clock, systemClock } from '../../src/clock.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { isSubdomain, parseName, parseNameKeepingCase } from '../../src/dns/name.ts';
import { FLAG, parseType, RCODE } from '../../src/dns/types.ts';
import { createForwarder, type Forwarder } from '../../src/forward/forwarder.ts';
import { emptyTarget, type OurAnswer } from '../../src/forward/resolve/target.ts';
import type { OpenSocket } from '../../src/native/connected-datagram.ts';
import {
  CACHE_DEFAULTS,
  type CacheSettings,
  FORWARD_DEFAULTS,
  type ForwardSettings,
  ROUTE_DEFAULTS,
  type RouteSettings,
} from '../../src/plane/forward-settings.ts';
import { type Asked, type ScriptedUpstream, startScriptedUpstream } from './scripted-upstream.ts';

export interface Asking {
  readonly dnssecOk?: boolean;
  readonly flags?: number;
  readonly edns?: boolean;
  readonly maxBytes?: number;
  readonly id?: number;
  /** With an empty NSID option. */
  readonly nsid?: boolean;
}

export interface TestForwarder {
  readonly forwarder: Forwarder;
  readonly logged: string[];
  /** "www.example. A"; resolves with the parsed response. */
  ask(question: string, asking?: Asking): Promise<Message>;
  /** The response if it is given at once from the cache. */
  cached(question: string, asking?: Asking): Message | undefined;
}

export interface TestForwarderOptions {
  readonly route?: Partial<RouteSettings>;
  readonly routes?: readonly RouteSettings[];
  readonly cache?: Partial<CacheSettings>;
  readonly settings?: Partial<ForwardSettings>;
  readonly clock?: Clock;
  readonly ourZones?: readonly string[];
  readonly ourAnswer?: (name: Uint8Array, type: number) => Partial<OurAnswer>;
  readonly loopToken?: string;
  readonly openSocket?: OpenSocket;
}

/** Upstreams on 127.0.0.1 at these ports, asked for every name. No loop probes unless the settings say so. */
export function forwarderTo(ports: readonly number[], options: TestForwarderOptions = {}): TestForwarder {
  const logged: string[] = [];
  const settings: ForwardSettings = {
    ...FORWARD_DEFAULTS,
    loopDetection: false,
    loadbalance: false,
    routes: options.routes ?? [routeTo('.', ports, options.route)],
    ...options.settings,
    cache: { ...CACHE_DEFAULTS, ...options.cache },
  };
  const ours = (options.ourZones ?? []).map((zone) => parseName(zone));
  const forwarder = createForwarder(settings, {
    clock: options.clock ?? systemClock,
    isOurs: (name) => ours.some((zone) => isSubdomain(name, zone)),
    ourAnswer: (name, type) => ({ ...emptyTarget(RCODE.NOERROR), ...options.ourAnswer?.(name, type) }),
    log: (level, message) => logged.push(`${level} ${message}`),
    loopToken: options.loopToken ?? 'loop0123',
    openSocket: options.openSocket,
  });
  return {
    forwarder,
    logged,
    ask(question, asking = {}) {
      const query = composeQuestion(question, asking);
      return new Promise((resolve) => {
        respondTo(forwarder, query.bytes, query.questionEnd, asking.maxBytes ?? 1232, (response) =>
          resolve(parseMessage(response.slice())),
        );
      });
    },
    cached(question, asking = {}) {
      const query = composeQuestion(question, asking);
      const out = new Uint8Array(70_000);
      const { bytes, questionEnd } = query;
      const answer = forwarder.answer(bytes, bytes.length, questionEnd, out, 3, asking.maxBytes ?? 1232);
      return typeof answer === 'number' ? parseMessage(out.subarray(3, 3 + answer)) : undefined;
    },
  };
}

const out = new Uint8Array(70_000);

/** From the cache, or from upstreams: `reply` is called once either way. */
export function respondTo(
  forwarder: Forwarder,
  query: Uint8Array,
  questionEnd: number,
  maxBytes: number,
  reply: (response: Uint8Array) => void,
  client?: Uint8Array,
): void {
  const answer = forwarder.answer(query, query.length, questionEnd, out, 0, maxBytes);
  if (typeof answer === 'number') reply(out.subarray(0, answer));
  else answer.resolve(reply, client);
}

export function routeTo(zone: string, ports: readonly number[], more: Partial<RouteSettings> = {}): RouteSettings {
  const upstreams = ports.map((port) => ({ address: '127.0.0.1', port, tls: undefined }));
  return { ...ROUTE_DEFAULTS, zone, upstreams, policy: 'sequential', ...more };
}

const NSID = { code: 3, data: new Uint8Array(0) };

export function composeQuestion(question: string, asking: Asking = {}): { bytes: Uint8Array; questionEnd: number } {
  const [name, type] = question.split(' ');
  const wire = parseNameKeepingCase(name);
  const bytes = composeMessage({
    id: asking.id ?? 4711,
    flags: asking.flags ?? FLAG.RD,
    questions: [{ name: wire, type: parseType(type) ?? 0, class: 1 }],
    ...(asking.edns !== false && {
      edns: { version: 0, udpBytes: 1232, dnssecOk: asking.dnssecOk ?? false, options: asking.nsid ? [NSID] : [] },
    }),
  });
  return { bytes, questionEnd: 12 + wire.length + 4 };
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A scripted upstream that is closed after the test. */
export async function upstream(script?: (asked: Asked) => void): Promise<ScriptedUpstream> {
  const started = await startScriptedUpstream(script);
  open.push(started);
  return started;
}

/** A forwarder to these, closed after the test. */
export function forwarder(upstreams: readonly { port: number }[], options?: TestForwarderOptions): TestForwarder {
  const made = forwarderTo(
    upstreams.map(({ port }) => port),
    options,
  );
  open.push(made.forwarder);
  return made;
}

/** The EDE code of a response (RFC 8914); undefined: none. */
export function edeOf(message: Message | undefined): number | undefined {
  const data = message?.edns?.options.find(({ code }) => code === 15)?.data;
  return data && (data[0] << 8) | data[1];
}
