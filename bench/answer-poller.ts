// Asks one server one question again and again, to see when its answer changes.
import { createSocket } from 'node:dgram';
import { composeMessage } from '../src/dns/compose-message.ts';
import { parseMessage } from '../src/dns/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';

export interface AnswerPoller {
  /** Resolves with the time (performance.now) of the first answer for which `isWanted` holds; undefined after `withinMs`. */
  until(isWanted: (addresses: readonly string[]) => boolean, withinMs: number): Promise<number | undefined>;
  /** Mean milliseconds from one answer to the next: half of it, on average, is how late a change is seen. */
  intervalMs(): number;
  close(): void;
}

/** Between an answer and the next question, so that watching does not make the server busy. */
const PAUSE_MS = 0.5;
const LOST_MS = 200;

export function pollAnswers(port: number, name: string): AnswerPoller {
  const socket = createSocket('udp4');
  const query = composeMessage({ questions: [{ name: parseName(name), type: TYPE.A, class: CLASS.IN }] });
  socket.on('error', () => {}); // nobody listens yet
  const connected = new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));

  let [asked, askingMs] = [0, 0];

  async function ask(): Promise<readonly string[] | undefined> {
    await connected;
    return new Promise((resolve) => {
      const done = (addresses?: readonly string[]) => {
        clearTimeout(timer);
        socket.off('message', onMessage);
        resolve(addresses);
      };
      const onMessage = (reply: Buffer) => done(parseMessage(reply).answers.map(({ rdata }) => rdata.join('.')));
      const timer = setTimeout(done, LOST_MS);
      socket.on('message', onMessage);
      socket.send(query);
    });
  }

  return {
    async until(isWanted, withinMs) {
      const startMs = performance.now();
      while (performance.now() < startMs + withinMs) {
        const addresses = await ask();
        asked++;
        if (addresses !== undefined && isWanted(addresses)) {
          askingMs += performance.now() - startMs;
          return performance.now();
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      return undefined;
    },
    intervalMs: () => askingMs / asked,
    close: () => socket.close(),
  };
}
