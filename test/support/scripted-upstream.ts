// A DNS server on loopback, UDP and TCP on one port, that does exactly what a test tells it to, right or wrong.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { composeMessage, type Message, type MessageParts, parseMessage } from '../../src/dns/message/message.ts';
import { formatName } from '../../src/dns/name.ts';
import { FLAG, typeName } from '../../src/dns/types.ts';
import { records } from './zone-text.ts';

export interface Asked {
  readonly query: Message;
  readonly bytes: Uint8Array;
  /** "www.example. A", letters as they came. */
  readonly text: string;
  readonly transport: 'udp' | 'tcp';
  /** The client's port. */
  readonly port: number;
  /** Sends these bytes to the client, from the server's own address and port. */
  send(bytes: Uint8Array): void;
  /** Sends from another port of the same address. */
  sendFromElsewhere(bytes: Uint8Array): void;
  /** Composes a reply with the query's ID and question. */
  reply(parts: ReplyParts): Uint8Array;
  /** TCP: cuts the connection. */
  reset(): void;
}

export interface ReplyParts extends Omit<MessageParts, 'answers' | 'authorities' | 'additionals'> {
  /** Zone text. */
  readonly answers?: string;
  readonly authorities?: string;
  readonly additionals?: string;
}

export interface ScriptedUpstream {
  readonly port: number;
  /** Everything that was asked, in order. */
  readonly asked: Asked[];
  /** What happens to a query; replaced at any time. */
  script: (asked: Asked) => void;
  close(): Promise<void>;
}

/** Answers with nothing until a script is set. */
export async function startScriptedUpstream(script: (asked: Asked) => void = () => {}): Promise<ScriptedUpstream> {
  const { udp, tcp, port } = await bindBoth();
  const elsewhere = createSocket('udp4');
  elsewhere.bind(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const connections = new Set<Socket>();
  const upstream: ScriptedUpstream = {
    port,
    asked: [],
    script,
    async close() {
      for (const connection of connections) connection.destroy();
      udp.close();
      elsewhere.close();
      tcp.close();
      await once(tcp, 'close');
    },
  };
  const take = (
    bytes: Uint8Array,
    transport: 'udp' | 'tcp',
    from: Pick<Asked, 'port' | 'send' | 'sendFromElsewhere' | 'reset'>,
  ) => {
    const query = parseMessage(bytes);
    const { name, type } = query.questions[0];
    const text = `${formatName(name)} ${typeName(type)}`;
    const asked: Asked = { ...from, query, bytes, text, transport, reply: (parts) => composeReply(query, parts) };
    upstream.asked.push(asked);
    upstream.script(asked);
  };
  udp.on('message', (bytes, from: RemoteInfo) =>
    take(bytes, 'udp', {
      port: from.port,
      send: (reply) => udp.send(reply, from.port, from.address),
      sendFromElsewhere: (reply) => elsewhere.send(reply, from.port, from.address),
      reset() {},
    }),
  );
  tcp.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => {});
    readFrames(connection, (bytes) =>
      take(bytes, 'tcp', {
        port: connection.remotePort ?? 0,
        send: (reply) => connection.write(frame(reply)),
        sendFromElsewhere() {},
        reset: () => connection.resetAndDestroy(),
      }),
    );
  });
  return upstream;
}

/** Replies "NOERROR" with the records of the zone text that have the question's name and type, else NXDOMAIN with SOA. */
export function answerFrom(zoneText: string): (asked: Asked) => void {
  return (asked) => {
    const question = asked.text.toLowerCase();
    const lines = zoneText.split('\n').map((line) => line.trim());
    const answers = lines.filter((line) => {
      const [name, , , type] = line.split(/\s+/);
      return `${name} ${type}`.toLowerCase() === question;
    });
    if (answers.length > 0) return asked.send(asked.reply({ answers: answers.join('\n') }));
    const known = lines.some((line) => line.split(/\s+/)[0].toLowerCase() === question.split(' ')[0]);
    asked.send(asked.reply({ rcode: known ? 0 : 3, authorities: SOA }));
  };
}

/** Of the root, so that it may speak for every name. Negative TTL 60. */
export const SOA = '. 3600 IN SOA ns.test. admin.test. 1 7200 3600 1209600 60';

function composeReply(query: Message, parts: ReplyParts): Uint8Array {
  const { answers = '', authorities = '', additionals = '', ...rest } = parts;
  return composeMessage({
    id: query.id,
    flags: FLAG.QR | FLAG.RA | (query.flags & FLAG.RD),
    questions: query.questions,
    ...rest,
    answers: records(answers),
    authorities: records(authorities),
    additionals: records(additionals),
  });
}

/** One port that is free for both. */
async function bindBoth(): Promise<{ udp: UdpSocket; tcp: Server; port: number }> {
  for (let tries = 0; ; tries++) {
    const udp = createSocket('udp4');
    udp.bind(0, '127.0.0.1');
    await once(udp, 'listening');
    const { port } = udp.address();
    const tcp = createServer();
    tcp.listen(port, '127.0.0.1');
    try {
      await once(tcp, 'listening');
      return { udp, tcp, port };
    } catch (error) {
      udp.close();
      if (tries === 20) throw error;
    }
  }
}

function frame(message: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 0xff), message]);
}

function readFrames(connection: Socket, onMessage: (bytes: Uint8Array) => void): void {
  let unread = Buffer.alloc(0);
  connection.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
      const end = 2 + unread.readUInt16BE(0);
      onMessage(Uint8Array.from(unread.subarray(2, end)));
      unread = unread.subarray(end);
    }
  });
}
