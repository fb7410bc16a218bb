// A DNS Push server over plain TCP that does what a test tells it to, right or wrong: for faults that the real one does not show.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { AnswerRules } from '../../src/dns/dso/answer-rules.ts';
import { composeRules } from '../../src/dns/dso/answer-rules.ts';
import { composeDso, DSO_TYPE, isDso, parseTlvs, readDsoHead, type Tlv } from '../../src/dns/dso/message.ts';
import {
  composeKeepalive,
  parseKeepalive,
  parseSubscribe,
  parseUnsubscribe,
  retryDelay,
} from '../../src/dns/dso/operations.ts';
import { type Change, composePush } from '../../src/dns/dso/push.ts';
import { composeMessage, type MessageParts, parseMessage } from '../../src/dns/message/message.ts';
import type { MessageRecord } from '../../src/dns/message/record.ts';
import { formatName } from '../../src/dns/name.ts';
import { FLAG, RCODE, TYPE, typeName } from '../../src/dns/types.ts';
import { records } from './zone-text.ts';

export interface FakeReplica {
  readonly port: number;
  /** Zone text: what is answered and pushed for a first question. */
  zone: string;
  /** "www.example. A" of each ordinary query, in order. */
  readonly asked: string[];
  /** "www.example. A" of each active subscription, in all sessions. */
  subscriptions(): string[];
  readonly sockets: Set<Socket>;
  /** Requests are read and not answered. */
  isSilent: boolean;
  /** SUBSCRIBE is refused with this RCODE. */
  refusal: { readonly rcode: number; readonly retryMs: number } | undefined;
  /** Fields of the rules beside the records. */
  rules: Partial<AnswerRules>;
  /** In place of the usual replies. */
  script: ((message: Buffer, socket: Socket) => boolean) | undefined;
  /** To every session: "+www.example. 5 IN A 192.0.2.1" or "-…" a line. */
  push(changes: string, isPartial?: boolean): void;
  send(bytes: Uint8Array): void;
  /** Cuts all sessions. */
  cut(): void;
  close(): Promise<void>;
}

const DEFAULT_RULES = {
  isWildcard: false,
  isWeighted: false,
  maxAnswers: 0,
  whenAllUnhealthy: 0,
  rcode: 0,
  errors: [],
};

export async function startFakeReplica(zone = '', port = 0): Promise<FakeReplica> {
  const active = new Map<Socket, Map<number, string>>();
  const server: Server = createServer((socket) => serve(socket));
  const replica: FakeReplica = {
    port: 0,
    zone,
    asked: [],
    sockets: new Set(),
    isSilent: false,
    refusal: undefined,
    rules: {},
    script: undefined,
    subscriptions: () => [...active.values()].flatMap((one) => [...one.values()]).sort(),
    push(changes, isPartial = false) {
      const parsed = changes.split('\n').map((line) => line.trim());
      for (const message of pushOf(parsed, isPartial)) replica.send(message);
    },
    send(bytes) {
      for (const socket of replica.sockets) socket.write(bytes);
    },
    cut() {
      for (const socket of replica.sockets) socket.destroy();
    },
    async close() {
      replica.cut();
      server.close();
      await once(server, 'close');
    },
  };

  function pushOf(lines: readonly string[], isPartial = false): Uint8Array[] {
    const changes = lines
      .filter((line) => line !== '')
      .map((line): Change => {
        const [record] = records(line.slice(1));
        return line.startsWith('+')
          ? { ...record, action: 'add', weight: 1 }
          : { ...record, action: 'remove', ttlSeconds: 0, weight: 1 };
      });
    const { name, type } = changes[0];
    const messages = composePush(changes, { name, type, ...DEFAULT_RULES, ...replica.rules });
    if (isPartial) for (const message of messages) setPartial(message);
    return messages;
  }

  let indexed = '';
  let index = new Map<string, MessageRecord[]>();

  /** Of that type, and aliases. */
  function answersFor(name: Uint8Array, type: number): MessageRecord[] {
    if (indexed !== replica.zone) {
      index = new Map();
      for (const record of records(replica.zone)) {
        const owner = formatName(record.name);
        index.set(owner, [...(index.get(owner) ?? []), record]);
      }
      indexed = replica.zone;
    }
    const all = index.get(formatName(name).toLowerCase()) ?? [];
    return all.filter((record) => record.type === type || record.type === TYPE.CNAME);
  }

  function serve(socket: Socket): void {
    replica.sockets.add(socket);
    active.set(socket, new Map());
    socket.on('close', () => {
      replica.sockets.delete(socket);
      active.delete(socket);
    });
    socket.on('error', () => {});
    let unread = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        const message = unread.subarray(2, 2 + unread.readUInt16BE(0));
        unread = unread.subarray(2 + message.length);
        if (replica.isSilent || replica.script?.(message, socket)) continue;
        if (isDso(message)) stateful(message, socket);
        else answer(message, socket);
      }
    });
  }

  function answer(message: Buffer, socket: Socket): void {
    const query = parseMessage(message);
    const [question] = query.questions;
    replica.asked.push(`${formatName(question.name).toLowerCase()} ${typeName(question.type)}`);
    const answers = answersFor(question.name, question.type);
    const parts: MessageParts = {
      id: query.id,
      flags: FLAG.QR | FLAG.AA,
      rcode: answers.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN,
      questions: [question],
      answers,
      authorities: answers.length > 0 ? [] : records('test. 30 IN SOA ns.test. admin.test. 1 7200 1800 86400 30'),
    };
    socket.write(framed(composeMessage(parts)));
  }

  function stateful(message: Buffer, socket: Socket): void {
    const { id } = readDsoHead(message);
    const [first] = parseTlvs(message);
    if (first.type === DSO_TYPE.KEEPALIVE) socket.write(composeKeepalive(id, true, parseKeepalive(first)));
    else if (first.type === DSO_TYPE.SUBSCRIBE) subscribe(id, message, first, socket);
    else if (first.type === DSO_TYPE.UNSUBSCRIBE) active.get(socket)?.delete(parseUnsubscribe(first));
  }

  function subscribe(id: number, message: Buffer, tlv: Tlv, socket: Socket): void {
    const { refusal } = replica;
    if (refusal !== undefined) {
      socket.write(composeDso({ id, isResponse: true, rcode: refusal.rcode, tlvs: [retryDelay(refusal.retryMs)] }));
      return;
    }
    const { name, type } = parseSubscribe(message, tlv);
    active.get(socket)?.set(id, `${formatName(name)} ${typeName(type)}`);
    const answers = answersFor(name, type);
    const rules = { name, type, ...DEFAULT_RULES, ...replica.rules };
    const isEmpty = answers.length === 0;
    const data = composeRules({ ...rules, isPartial: false, weights: [] });
    socket.write(composeDso({ id, isResponse: true, tlvs: isEmpty ? [{ type: DSO_TYPE.ANSWER_RULES, data }] : [] }));
    if (isEmpty) return;
    const changes = answers.map((record): Change => ({ ...record, action: 'add', weight: 1 }));
    for (const push of composePush(changes, rules)) socket.write(push);
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return Object.assign(replica, { port: typeof address === 'object' ? address!.port : 0 });
}

/** The flag of answer-rules.ts that more follows: the second byte of the TLV. */
function setPartial(message: Uint8Array): void {
  const body = message.subarray(2);
  const rules = parseTlvs(body).find(({ type }) => type === DSO_TYPE.ANSWER_RULES)!;
  body[rules.at + 1] |= 4;
}

export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + message.length);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 0xff;
  frame.set(message, 2);
  return frame;
}
