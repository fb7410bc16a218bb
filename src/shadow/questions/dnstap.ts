// The questions in a stream of dnstap messages (https://dnstap.info): Frame Streams around Protocol Buffers.
import { BrokenMessage, type Bytes as Place, readMessage, schema } from '../../reading/protobuf.ts';
import type { Question } from '../answers/question.ts';
import type { Bytes } from './bytes.ts';
import { readClientQuery } from './client-query.ts';
import { type Notes, skip } from './notes.ts';

/** Bytes that no dnstap stream has. */
export class BrokenFrames extends Error {
  override readonly name = 'BrokenFrames';
}

const MAX_FRAME_BYTES = 128 * 1024;
const MAX_CONTROL_BYTES = 512;
const CONTROL = { ACCEPT: 1, START: 2, STOP: 3, READY: 4, FINISH: 5 };
const CONTENT_TYPE_FIELD = 1;
const CONTENT_TYPE = 'protobuf:dnstap.Dnstap';

const MESSAGE = schema({
  1: ['type', 'integer'],
  3: ['protocol', 'integer'],
  10: ['query', 'bytes'],
  14: ['response', 'bytes'],
});
const DNSTAP = schema({ 14: ['message', MESSAGE] });

/** Message.Type; AUTH is a client's query to an authoritative server, CLIENT one to a resolver. */
const QUERIES = [1, 5];
const RESPONSES = [2, 6];
const TCP = 2;

/** A stream begins with a control frame, whose length of 0 escapes it. */
export const isFrameStream = (beginning: Buffer): boolean => beginning.length >= 4 && beginning.readUInt32BE(0) === 0;

/** `reply`: writes control frames to a sender that expects them. Rejects with BrokenFrames or CutShort. */
export async function* readDnstap(
  bytes: Bytes,
  notes: Notes,
  reply: (frame: Buffer) => void = () => {},
): AsyncGenerator<Question> {
  /** Senders that only log responses repeat the question there. */
  let hasQueries = false;
  for (;;) {
    const { offset } = bytes;
    const frame = await readFrame(bytes);
    if (frame === undefined) return;
    if (typeof frame === 'number') {
      if (frame === CONTROL.READY) reply(controlFrame(CONTROL.ACCEPT, CONTENT_TYPE));
      if (frame !== CONTROL.STOP) continue;
      reply(controlFrame(CONTROL.FINISH));
      return;
    }
    notes.read++;
    const at = `frame ${notes.read} at byte ${offset}`;
    const message = readDnstapMessage(frame);
    if (typeof message === 'string') skip(notes, message, at);
    else if (!message.isQuery && hasQueries) skip(notes, 'response', at);
    else {
      hasQueries ||= message.isQuery;
      const question = readClientQuery(message.bytes, message.transport);
      if (typeof question === 'string') skip(notes, question, at);
      else yield question;
    }
  }
}

/** A data frame, or the type of a control frame. */
async function readFrame(bytes: Bytes): Promise<Buffer | number | undefined> {
  const { offset } = bytes;
  const length = (await bytes.take(4))?.readUInt32BE(0);
  if (length === undefined) return undefined;
  if (length > MAX_FRAME_BYTES) throw new BrokenFrames(`byte ${offset}: a frame of ${length} bytes is not plausible`);
  if (length > 0) return (await bytes.take(length)) ?? cut(offset, length);
  const controlLength = (await bytes.take(4))?.readUInt32BE(0) ?? 0;
  if (controlLength < 4 || controlLength > MAX_CONTROL_BYTES) {
    throw new BrokenFrames(`byte ${offset}: a control frame of ${controlLength} bytes`);
  }
  const control = (await bytes.take(controlLength)) ?? cut(offset, controlLength);
  const [type, contentType] = [control.readUInt32BE(0), contentTypeOf(control)];
  if (type === CONTROL.START && contentType !== undefined && contentType !== CONTENT_TYPE) {
    throw new BrokenFrames(`byte ${offset}: the stream contains "${contentType.slice(0, 80)}", not ${CONTENT_TYPE}`);
  }
  return type;
}

function cut(offset: number, length: number): never {
  throw new BrokenFrames(`byte ${offset}: a frame of ${length} bytes, but the input ends there`);
}

function contentTypeOf(control: Buffer): string | undefined {
  if (control.length < 12 || control.readUInt32BE(4) !== CONTENT_TYPE_FIELD) return undefined;
  return control.toString('latin1', 12, 12 + control.readUInt32BE(8));
}

function controlFrame(type: number, contentType?: string): Buffer {
  const text = Buffer.from(contentType ?? '', 'latin1');
  const words = contentType === undefined ? [0, 4, type] : [0, 12 + text.length, type, CONTENT_TYPE_FIELD, text.length];
  const head = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) head.writeUInt32BE(word, index * 4);
  return Buffer.concat([head, text]);
}

interface DnstapMessage {
  readonly isQuery: boolean;
  readonly transport: 'udp' | 'tcp';
  readonly bytes: Uint8Array;
}

function readDnstapMessage(frame: Buffer): DnstapMessage | string {
  const message = decode(frame);
  if (message === undefined) return 'not a dnstap message';
  const isQuery = QUERIES.includes(message.type ?? 0);
  if (!isQuery && !RESPONSES.includes(message.type ?? 0)) return "not a client's query";
  const place = message.query ?? message.response;
  if (place === undefined) return 'dnstap message without a DNS message';
  const bytes = Buffer.from(place.buffer.subarray(place.start, place.end));
  // The question of a response is that of its query.
  if (message.query === undefined && bytes.length > 12) makeQuery(bytes);
  return { isQuery, transport: message.protocol === TCP ? 'tcp' : 'udp', bytes };
}

/** Clears QR, AA, TC, RA and the rcode, and drops the records: OPT of a response is the server's, not the client's. */
function makeQuery(response: Buffer): void {
  response[2]! &= 0x79;
  response[3]! &= 0x30;
  response.fill(0, 6, 12);
}

function decode(frame: Buffer): { type?: number; protocol?: number; query?: Place; response?: Place } | undefined {
  try {
    return readMessage({ buffer: frame, start: 0, end: frame.length }, DNSTAP).message as ReturnType<typeof decode>;
  } catch (error) {
    if (error instanceof BrokenMessage) return undefined;
    throw error;
  }
}
