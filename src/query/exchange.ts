// Sends one query and reads one reply, over UDP or TCP.
//
// From dns2 3.1.1 come the random id and the reader of length-prefixed TCP messages. Its clients are not used: its TCP client
// has no timeout, sends id 0 and cuts IPv6 addresses at the first colon; neither client sends EDNS (so that no Extended DNS
// Error ever comes back) nor types outside dns2's table, and its decoder mishandles dots inside labels.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { Packet } from 'dns2';
import { type Clock, setDeadline, type Timer } from '../clock.ts';
import { HEADER_BYTES, UDP_BYTES_WITH_EDNS } from '../dns/limits.ts';
import { composeMessage, hasFlag, type Message, parseMessage } from '../dns/message/message.ts';
import type { Question } from '../dns/message/record.ts';
import { sameName } from '../dns/name.ts';
import { MessageError } from '../dns/reader.ts';
import { FLAG, RCODE } from '../dns/types.ts';

/** The server sent no readable reply; the message describes what happened instead. */
export class NoReplyError extends Error {
  override readonly name = 'NoReplyError';
}

export interface ServerAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

export interface Query {
  readonly id: number;
  readonly question: Question;
  readonly bytes: Uint8Array;
}

export interface Reply {
  readonly message: Message;
  readonly bytes: Uint8Array;
  readonly transport: 'udp' | 'tcp';
}

export interface QueryResult extends Reply {
  readonly server: ServerAddress;
  readonly elapsedMs: number;
}

interface Patience {
  readonly timeoutMs: number;
  readonly tries: number;
}

export function composeQuery(question: Question, options: { edns: boolean; recursionDesired: boolean }): Query {
  const id = Packet.uuid();
  const edns = { version: 0, udpBytes: UDP_BYTES_WITH_EDNS, dnssecOk: false, options: [] };
  const flags = options.recursionDesired ? FLAG.RD : 0;
  const bytes = composeMessage({ id, flags, questions: [question], ...(options.edns && { edns }) });
  return { id, question, bytes };
}

/**
 * Sends up to `tries` times and waits `timeoutMs` after each. Datagrams that do not answer this query are ignored (the real
 * reply may still come), and reported if none does. 'truncated': retry over TCP. Throws NoReplyError.
 */
export function overUdp(
  query: Query,
  server: ServerAddress,
  patience: Patience,
  clock: Clock,
): Promise<Reply | 'truncated'> {
  const socket = createSocket(server.family === 4 ? 'udp4' : 'udp6');
  let timer: Timer | undefined;
  return new Promise<Reply | 'truncated'>((resolve, reject) => {
    let passedOver = '';
    const fail = (why: string) => reject(noReply(server, 'udp', why + passedOver));
    const send = (triesLeft: number) => {
      socket.send(query.bytes, (error) => error && fail(error.message));
      timer = setDeadline(
        clock,
        () => (triesLeft > 1 ? send(triesLeft - 1) : fail(timeoutText(patience))),
        patience.timeoutMs,
      );
    };
    socket.on('error', (error) => fail(error.message));
    socket.on('message', (bytes) => {
      try {
        // Checked before parsing: some servers cut a truncated reply in the middle of a record.
        if (isTruncatedReply(bytes, query.id)) resolve('truncated');
        else resolve(readReply(bytes, query, 'udp'));
      } catch (error) {
        if (!(error instanceof MessageError)) throw error;
        passedOver = `; a datagram was ignored: ${error.message}`;
      }
    });
    // Connected: the kernel delivers only datagrams from the server, and reports a closed port.
    const connected = (error?: Error) => (error ? fail(error.message) : send(Math.max(1, patience.tries)));
    socket.connect(server.port, server.address, connected as () => void);
  }).finally(() => {
    timer?.cancel();
    socket.close();
  });
}

/** Connects, sends once, and reads one framed message within `timeoutMs`. Throws NoReplyError. */
export async function overTcp(query: Query, server: ServerAddress, patience: Patience, clock: Clock): Promise<Reply> {
  const socket = connect({ host: server.address, port: server.port });
  const timer = setDeadline(
    clock,
    () => socket.destroy(new Error(`no reply within ${patience.timeoutMs} ms`)),
    patience.timeoutMs,
  );
  // readStream listens for errors only while it reads; one after that must not end the process.
  socket.on('error', () => {});
  try {
    const prefix = Uint8Array.of(query.bytes.length >> 8, query.bytes.length & 0xff);
    socket.write(Buffer.concat([prefix, query.bytes]));
    return readReply(await Packet.readStream(socket), query, 'tcp');
  } catch (error) {
    throw noReply(server, 'tcp', (error as Error).message);
  } finally {
    timer.cancel();
    socket.destroy();
  }
}

/** Throws MessageError if the bytes are not a reply to this query. */
function readReply(bytes: Uint8Array, query: Query, transport: 'udp' | 'tcp'): Reply {
  const message = parseMessage(bytes);
  if (!hasFlag(message, FLAG.QR)) throw new MessageError('it is a query, not a reply');
  if (message.id !== query.id) throw new MessageError('its id differs from that of the query');
  if (!repeatsQuestion(message, query.question)) throw new MessageError('its question differs from that of the query');
  return { message, bytes, transport };
}

/** Servers that could not parse the query (FORMERR, NOTIMP, …) may omit the question. */
function repeatsQuestion(message: Message, asked: Question): boolean {
  const [question] = message.questions;
  if (question === undefined) return message.rcode !== RCODE.NOERROR && message.rcode !== RCODE.NXDOMAIN;
  return question.type === asked.type && question.class === asked.class && sameName(question.name, asked.name);
}

function isTruncatedReply(bytes: Uint8Array, id: number): boolean {
  if (bytes.length < HEADER_BYTES || ((bytes[0] << 8) | bytes[1]) !== id) return false;
  const flags = (bytes[2] << 8) | bytes[3];
  return (flags & FLAG.QR) !== 0 && (flags & FLAG.TC) !== 0;
}

function timeoutText({ tries, timeoutMs }: Patience): string {
  return `no reply within ${timeoutMs} ms${tries > 1 ? `, asked ${tries} times` : ''}`;
}

function noReply(server: ServerAddress, transport: 'udp' | 'tcp', why: string): NoReplyError {
  const host = server.family === 6 ? `[${server.address}]` : server.address;
  return new NoReplyError(`${host}:${server.port} over ${transport.toUpperCase()}: ${why}`);
}
