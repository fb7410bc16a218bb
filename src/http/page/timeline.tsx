// The history of a name: how the answers of its services have changed, the newest first.
import { answerTextOf } from '../../history/history.ts';
import type { HistoryExplanation, ServiceHistory } from '../explain-history.ts';
import { Badge, Time } from './parts.tsx';
import { count, plural } from './words.ts';

interface Props {
  readonly history: HistoryExplanation;
  readonly asked: string;
  readonly list: string;
  readonly nowMs: number;
}

export function Timeline({ history: { services, at }, asked, list, nowMs }: Props) {
  if (services.length === 0) return null;
  return (
    <section>
      <h2>History</h2>
      <form class="at" action={`/explain/${encodeURIComponent(asked)}`}>
        <label for="at">What was answered at</label>
        <input id="at" name="at" defaultValue={at ?? ''} placeholder="02:47 or 2h" maxLength={40} required />
        {list === '' ? null : <input type="hidden" name="list" value={list} />}
        <button type="submit">Show</button>
      </form>
      {services.map((one) => (
        <ServiceTimeline key={one.service} {...one} {...{ at, nowMs }} />
      ))}
    </section>
  );
}

function ServiceTimeline(props: ServiceHistory & Pick<HistoryExplanation, 'at'> & Pick<Props, 'nowMs'>) {
  const { service, knownSince, changes, answer, at, nowMs } = props;
  return (
    <>
      {answer === undefined || at === undefined ? null : (
        <p class="then">
          At <Time at={at} />:{' '}
          <strong>{answer.known ? `answered ${answerTextOf(answer.answer)}` : `not known: ${answer.why}`}</strong>
        </p>
      )}
      <p class="quiet">
        {changes.length === 0 ? 'No change' : plural(changes.length, 'change')} of {service}
        {knownSince === undefined ? (
          ''
        ) : (
          <>
            {' '}
            since <Time at={knownSince} />
          </>
        )}
      </p>
      <Strip {...{ changes, nowMs }} />
      <ol class="timeline">
        {changes.toReversed().map((change) => (
          <Change key={change.at} {...change} />
        ))}
      </ol>
    </>
  );
}

function Change({ at, transitions, more, after }: ServiceHistory['changes'][number]) {
  return (
    <li>
      <Time at={at} />
      <ul>
        {transitions.map(({ instance, from, to, answered, rule, reason }) => (
          <li key={instance}>
            <Badge tone={answered ? 'good' : 'bad'}>{answered ? 'in' : 'OUT'}</Badge> <bdi>{instance}</bdi>{' '}
            <span class="quiet">
              {from} → {to}, rule {rule}
            </span>{' '}
            <bdi>{reason}</bdi>
          </li>
        ))}
      </ul>
      {more > 0 ? <span class="quiet">… and {count(more)} more; </span> : null}
      <span class="quiet">then answered {answerTextOf(after)}</span>
    </li>
  );
}

const WIDTH = 600;
const HEIGHT = 30;

/** What part of the instances was answered, from the first change to now. */
function Strip({ changes, nowMs }: Pick<ServiceHistory, 'changes'> & Pick<Props, 'nowMs'>) {
  const points = changes.map(({ at, after }) => ({ ms: Date.parse(at), ...after }));
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined || !(nowMs > first.ms)) return null;
  const x = (ms: number) => Math.round((WIDTH * (ms - first.ms)) / (nowMs - first.ms));
  const y = ({ answered, of }: { readonly answered: number; readonly of: number }) =>
    1 + Math.round(HEIGHT * (1 - (of === 0 ? 0 : answered / of)));
  const steps = points.map((point) => `H${x(point.ms)}V${y(point)}`).join('');
  const line = `M0 ${y(first)}${steps}H${WIDTH}`;
  const least = points.reduce((lowest, point) => (y(point) > y(lowest) ? point : lowest));
  const words = ({ answered, of }: typeof first) => `${count(answered)} of ${plural(of, 'instance')}`;
  return (
    <figure>
      <svg
        class="strip"
        viewBox={`0 0 ${WIDTH} ${HEIGHT + 2}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Answered: ${words(last)} now, at least ${words(least)} since the first change`}
      >
        <path class="area" d={`${line}V${HEIGHT + 1}H0Z`} />
        <path class="line line0" d={line} />
      </svg>
      <p class="axis quiet">
        <span>
          <Time at={first.ms} />
        </span>
        <span>now</span>
      </p>
    </figure>
  );
}
