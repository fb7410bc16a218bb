// Whether what is held is what the replica answers: every minute some RRsets are asked for again. A difference is a bug of one
// of the two, is counted, and is mended by a new subscription.
import type { Clock, Timer } from '../clock.ts';
import { parseMessage } from '../dns/message/message.ts';
import { formatName, sameName } from '../dns/name.ts';
import { RCODE, typeName } from '../dns/types.ts';
import type { Attempt } from '../forward/upstream/attempt.ts';
import { composeUpstreamQuery } from '../forward/upstream/exchange.ts';
import { plainQuestion } from '../forward/upstream/question.ts';
import type { Logger } from '../log.ts';
import type { Held, HeldView } from './held.ts';
import { latin1 } from './packed-records.ts';

export interface AuditDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly held: Pick<Held, 'sample' | 'view' | 'renew'>;
  ask(attempt: Attempt): void;
}

export interface Audit {
  /** RRsets that were compared, and those that differed twice. */
  readonly counts: { compared: number; different: number };
  stop(): void;
}

const EVERY_MS = 60_000;
const SAMPLE = 32;
/** Answers and pushes take different ways: what differs is asked for again after this. */
const AGAIN_MS = 2_000;

export function startAudit({ clock, log, held, ask }: AuditDeps): Audit {
  const counts = { compared: 0, different: 0 };
  let timer: Timer = clock.setTimeout(round, EVERY_MS);

  function round(): void {
    for (const view of held.sample(SAMPLE)) compare(view, false);
    timer = clock.setTimeout(round, EVERY_MS);
  }

  function compare(before: HeldView, isSecond: boolean): void {
    const query = composeUpstreamQuery(plainQuestion(before.name, before.type), true, undefined);
    const attempt: Attempt = {
      query,
      exactSpelling: false,
      via: undefined,
      failed() {},
      replied(message) {
        const now = currentOf(before);
        // What has changed meanwhile shows nothing.
        if (now === undefined || !isSame(before, now)) return;
        counts.compared++;
        if (agrees(message, now)) return;
        if (isSecond) different(now);
        else clock.setTimeout(() => again(now), AGAIN_MS);
      },
    };
    ask(attempt);
  }

  function again(view: HeldView): void {
    const now = currentOf(view);
    if (now !== undefined && isSame(view, now)) compare(now, true);
  }

  function different({ name, type }: HeldView): void {
    counts.different++;
    log.error('held records differ from those of the replica', { name: formatName(name), type: typeName(type) });
    held.renew(name, type);
  }

  const currentOf = ({ name, type }: HeldView): HeldView | undefined =>
    held.view(name).find((view) => view.type === type && view.state === 'fresh');

  return { counts, stop: () => timer.cancel() };
}

const rdatasOf = ({ records }: HeldView): string[] => records.map(({ rdata }) => latin1(rdata)).sort();

const isSame = (one: HeldView, other: HeldView): boolean => String(rdatasOf(one)) === String(rdatasOf(other));

/** The reply has been accepted; what cannot be read shows nothing. Some of the records, where not all are answered. */
function agrees(reply: Uint8Array, view: HeldView): boolean {
  let answered: string[];
  try {
    const { rcode, answers } = parseMessage(reply, { trailingBytes: true });
    if (rcode === RCODE.SERVFAIL) return true;
    const own = answers.filter(({ name, type }) => type === view.type && sameName(name, view.name));
    answered = own.map(({ rdata }) => latin1(rdata)).sort();
  } catch {
    return true;
  }
  const held = rdatasOf(view);
  if (view.routing === 'weighted' || view.maxAnswers > 0)
    return answered.length > 0 && answered.every((rdata) => held.includes(rdata));
  return String(answered) === String(held);
}
