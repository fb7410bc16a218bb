// The questions in a capture.
import type { Question } from '../answers/question.ts';
import type { Bytes } from './bytes.ts';
import { type Frame, readPcap, readPcapng } from './capture-file.ts';
import { readClientQuery } from './client-query.ts';
import { type Notes, skip } from './notes.ts';
import { readSegment, type Segment } from './packet.ts';
import { createTcpStreams, type TcpStreams } from './tcp-streams.ts';

/** `port`: what servers listen on. Rejects with Damaged or CutShort; the questions before that are valid. */
export async function* readCapture(
  bytes: Bytes,
  format: 'pcap' | 'pcapng',
  port: number,
  notes: Notes,
): AsyncGenerator<Question> {
  const streams = createTcpStreams();
  for await (const frame of format === 'pcap' ? readPcap(bytes) : readPcapng(bytes)) {
    notes.read++;
    yield* questionsOf(frame, port, streams, notes);
  }
}

function questionsOf(frame: Frame, port: number, streams: TcpStreams, notes: Notes): Question[] {
  const passOver = (reason: string) => skip(notes, reason, `packet ${frame.number} at byte ${frame.offset}`);
  const segment = readSegment(frame.linkType, frame.bytes);
  const messages = typeof segment === 'string' ? segment : messagesOf(segment, port, streams);
  if (typeof messages === 'string') {
    passOver(messages);
    return [];
  }
  const questions: Question[] = [];
  for (const message of messages) {
    const question = readClientQuery(message, (segment as Segment).protocol);
    if (typeof question === 'string') passOver(question);
    else questions.push(question);
  }
  return questions;
}

function messagesOf(segment: Segment, port: number, streams: TcpStreams): readonly Buffer[] | string {
  if (segment.port === port) return segment.protocol === 'udp' ? [segment.payload] : streams.push(segment);
  return segment.sourcePort === port ? 'response' : `other ports than ${port}`;
}
