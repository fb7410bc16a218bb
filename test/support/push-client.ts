// A client of DNS Push for tests: it keeps what it is told, and gives everything that arrives.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type AnswerRules, parseRules } from '../../src/dns/dso/answer-rules.ts';
import { composeDso, DSO_TYPE, isDso, parseTlvs, readDsoHead } from '../../src/dns/dso/message.ts';
import { composeKeepalive, composeSubscribe, parseRetryDelay } from '../../src/dns/dso/operations.ts';
import { type Change, MAX_PUSH_BYTES, parsePush } from '../../src/dns/dso/push.ts';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { CLASS, parseType } from '../../src/dns/types.ts';

/** What a client has of one name and type. */
export interface Held {
  readonly id: number;
  /** "api.local. 5 IN A 10.0.0.1", sorted; with " weight N" where it is not 1. */
  readonly records: () => string[];
  readonly rules: () => AnswerRules | undefined;
  /** PUSH messages that have arrived for it. */
  readonly pushes: () => number;
  /** Not 0: the server has ended the subscription. */
  readonly rcode: () => number;
}

export interface PushClient {
  /** As they are on the wire, with the length in front. */
  send(bytes: Uint8Array): void;
  /** Messages that have arrived, without their lengths. */
  readonly messages: Uint8Array[];
  /** Resolves to the response of this id. */
  response(id: number): Promise<{ rcode: number; message: Uint8Array }>;
  /** An ordinary query for a name and type. */
  ask(name: string, type: string): Promise<Message>;
  keepalive(inactivityMs: number, keepaliveMs: number): Promise<{ rcode: number; message: Uint8Array }>;
  /** Rejects where the server refuses. */
  subscribe(name: string, type: string): Promise<Held>;
  /** In milliseconds, once the server has asked the client to leave. */
  readonly retryDelay: () => number | undefined;
  /** How the connection ended; undefined: it is open. */
  readonly ended: () => 'reset' | 'closed' | undefined;
  readonly socket: Socket;
  close(): void;
}

interface State {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  records: Map<string, Change>;
  /** Of a state that has not come whole. */
  partial: Change[];
  rules: AnswerRules | undefined;
  pushes: number;
  rcode: number;
}

/** Over TLS with `tls`. */
export async function pushClient(port: number, tls?: ConnectionOptions, host = '127.0.0.1'): Promise<PushClient> {
  const socket: Socket = tls === undefined ? connect(port, host) : connectTls({ host, port, ...tls });
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  socket.setNoDelay(true);
  return talk(socket);
}

function talk(socket: Socket): PushClient {
  const messages: Uint8Array[] = [];
  const responses = new Map<number, (message: Uint8Array) => void>();
  const states: State[] = [];
  let rest = Buffer.alloc(0);
  let ended: 'reset' | 'closed' | undefined;
  let retryDelay: number | undefined;
  let lastId = 0;

  const onPush = (message: Uint8Array): void => {
    assert.ok(message.length <= MAX_PUSH_BYTES);
    const { changes, rules } = parsePush(message, parseTlvs(message));
    assert.ok(rules !== undefined, 'a PUSH without rules');
    const ofKey = ({ name, type, rcode }: State) =>
      name === formatName(rules.name) && type === rules.type && rcode === 0;
    const state = states.find(ofKey);
    // One whose subscription has been cancelled meanwhile.
    if (state === undefined) return;
    state.pushes++;
    state.partial.push(...changes);
    const { isPartial, weights: _weights, ...own } = rules;
    if (isPartial) return;
    for (const change of state.partial.splice(0)) apply(state, change);
    state.rules = own;
  };

  const onMessage = (message: Uint8Array): void => {
    messages.push(message);
    if (!isDso(message) || readDsoHead(message).isResponse) {
      const id = (message[0] << 8) | message[1];
      const respond = responses.get(id);
      responses.delete(id);
      const cancelled = states.find((state) => state.id === id && state.rcode === 0);
      if (respond !== undefined) respond(message);
      else if (cancelled !== undefined) cancelled.rcode = readDsoHead(message).rcode;
      return;
    }
    const [tlv] = parseTlvs(message);
    if (tlv.type === DSO_TYPE.PUSH) onPush(message);
    else if (tlv.type === DSO_TYPE.RETRY_DELAY) retryDelay = parseRetryDelay(tlv);
  };

  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      onMessage(Uint8Array.from(rest.subarray(2, end)));
      rest = rest.subarray(end);
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    ended ??= error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : 'closed';
  });
  socket.on('close', () => {
    ended ??= 'closed';
  });

  const response = (id: number): Promise<{ rcode: number; message: Uint8Array }> =>
    new Promise((resolve, reject) => {
      responses.set(id, (message) => resolve({ rcode: message[3] & 15, message }));
      socket.once('close', () => reject(new Error('the server has closed the connection')));
    });
  const request = (id: number, bytes: Uint8Array): ReturnType<typeof response> => {
    const answered = response(id);
    socket.write(bytes);
    return answered;
  };

  return {
    ...{ messages, response, socket },
    send: (bytes) => void socket.write(bytes),
    async ask(name, type) {
      const id = ++lastId;
      const edns = { version: 0, udpBytes: 1232, dnssecOk: false, options: [] };
      const question = { name: parseName(name), type: parseType(type)!, class: CLASS.IN };
      const { message } = await request(id, framed(composeMessage({ id, questions: [question], edns })));
      return parseMessage(message);
    },
    keepalive: (inactivityMs, keepaliveMs) =>
      request(++lastId, composeKeepalive(lastId, false, { inactivityMs, keepaliveMs })),
    async subscribe(name, type) {
      const id = ++lastId;
      const state: State = {
        ...{ id, name: formatName(parseName(name)), type: parseType(type)!, records: new Map(), partial: [] },
        ...{ rules: undefined, pushes: 0, rcode: 0 },
      };
      states.push(state);
      const question = { name: parseName(name), type: state.type, class: CLASS.IN };
      const { rcode, message } = await request(id, composeSubscribe(id, question));
      state.rcode = rcode;
      if (rcode !== 0) throw new Error(`SUBSCRIBE ${name} ${type}: RCODE ${rcode}`);
      const sent = parseTlvs(message).find((tlv) => tlv.type === DSO_TYPE.ANSWER_RULES);
      if (sent !== undefined) {
        const { isPartial: _isPartial, weights: _weights, ...own } = parseRules(sent)!;
        state.rules = own;
      }
      return {
        id,
        records: () => [...state.records.values()].map(textOf).sort(),
        rules: () => state.rules,
        pushes: () => state.pushes,
        rcode: () => state.rcode,
      };
    },
    retryDelay: () => retryDelay,
    ended: () => ended,
    close: () => void socket.destroy(),
  };
}

function apply({ records, name }: State, change: Change): void {
  assert.equal(formatName(change.name), name, 'a PUSH of another name');
  const key = `${change.type} ${Buffer.from(change.rdata).toString('latin1')}`;
  if (change.action === 'add') records.set(key, change);
  else if (change.action === 'remove') assert.ok(records.delete(key), 'a record is removed that is not there');
  else assert.equal(records.size, 0, 'a collective remove is sent only where nothing is left');
}

const textOf = (change: Change): string =>
  formatRecord(change) + (change.weight === 1 ? '' : ` weight ${change.weight}`);

export const framed = (message: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(message.length >> 8, message.length), message]);

/** A message of stateful operations with any TLVs. */
export const dso = (id: number, ...tlvs: readonly (readonly [type: number, data: Uint8Array])[]): Uint8Array =>
  composeDso({ id, tlvs: tlvs.map(([type, data]) => ({ type, data })) });
