// Finds forwarding loops (a resolv.conf that lists this server, two servers that forward to each other): each upstream is asked a
// question that no other server can answer, and that this server answers when it comes back as a query. If that answer is the
// upstream's reply, the way through it leads back here. CoreDNS's `loop` stops the process; we stop asking the upstream.
import { parseMessage } from '../../dns/message/message.ts';
import { LOWER, parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { Answer } from '../upstream/answer.ts';
import { statedAnswer } from '../upstream/answer.ts';
import { type Deadlines, deadline } from '../upstream/deadlines.ts';
import { type ForwardQuestion, plainQuestion } from '../upstream/question.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Route } from './route.ts';

export interface LoopWatch {
  /** Asks the upstream, until it has replied once; while it loops, again and again. */
  watch(route: Route, upstream: Upstream): void;
  close(): void;
}

const AGAIN_MS = 30_000;
/** After no reply, doubled each time: the first question of all goes out before our own sockets listen. */
const FIRST_RETRY_MS = 1000;
const REPLY_MS = 5000;

export function createLoopWatch(token: string, deadlines: Deadlines, onLoop: () => void): LoopWatch {
  let asked = 0;
  let closed = false;

  function watch(route: Route, upstream: Upstream, retryMs = FIRST_RETRY_MS): void {
    const next = deadline(() => watch(route, upstream));
    const retry = deadline(() => watch(route, upstream, Math.min(2 * retryMs, AGAIN_MS)));
    if (closed || !route.upstreams().includes(upstream)) return;
    const tooLate = deadline(() => {
      asking.cancel();
      deadlines.add(retry, retryMs);
    });
    deadlines.add(tooLate, REPLY_MS);
    const name = parseName(`${token}-${++asked}.${route.settings.zone === '.' ? '' : route.settings.zone}`);
    const asking = upstream.send(plainQuestion(name, TYPE.HINFO), 0, {
      replied(message) {
        deadlines.remove(tooLate);
        const loops = isOurAnswer(message, token);
        if (loops && !upstream.counters.loops) onLoop();
        upstream.counters.loops = loops;
        if (loops) deadlines.add(next, AGAIN_MS);
      },
      failed() {
        deadlines.remove(tooLate);
        deadlines.add(retry, retryMs);
      },
    });
  }

  return {
    watch: (route, upstream) => watch(route, upstream),
    close() {
      closed = true;
    },
  };
}

/** Whether the question is one of our own probes. `name` starts at `start`. */
export function isLoopProbe(query: Uint8Array, start: number, type: number, token: string): boolean {
  if (type !== TYPE.HINFO || query[start] <= token.length) return false;
  for (let i = 0; i < token.length; i++) if (LOWER[query[start + 1 + i]] !== token.charCodeAt(i)) return false;
  return query[start + 1 + token.length] === 0x2d;
}

/** The answer to such a question; TTL 0, so that no server on the way caches it. */
export function loopAnswer(question: ForwardQuestion, token: string): Answer {
  const text = Buffer.from(token, 'latin1');
  return statedAnswer(
    question,
    [Buffer.concat([Uint8Array.of(text.length), text, Uint8Array.of(4), Buffer.from('loop')])],
    0,
  );
}

function isOurAnswer(message: Uint8Array, token: string): boolean {
  try {
    const [record] = parseMessage(message).answers;
    return record?.type === TYPE.HINFO && Buffer.from(record.rdata).includes(token);
  } catch {
    // A malformed reply is not our answer.
    return false;
  }
}
