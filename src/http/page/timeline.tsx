// The history of a name: how the answers of its services have changed, the newest first.
import { answerTextOf } from '../../history/history.ts';
import type { HistoryExplanation, ServiceHistory } from '../explain-history.ts';
import { Badge } from './parts.tsx';
import { count } from './words.ts';

export function Timeline({ services }: HistoryExplanation) {
  return (
    <>
      {services.map((one) => (
        <ServiceTimeline key={one.service} {...one} />
      ))}
    </>
  );
}

function ServiceTimeline({ service, knownSince, changes }: ServiceHistory) {
  return (
    <section>
      <h2>History</h2>
      <p class="quiet">
        {changes.length === 0 ? 'No change' : `${count(changes.length)} changes`} of {service}
        {knownSince === undefined ? '' : ` since ${knownSince}`}
      </p>
      <ol class="timeline">
        {changes.toReversed().map(({ at, transitions, more, after }) => (
          <li key={at}>
            <time dateTime={at}>{at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>
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
        ))}
      </ol>
    </section>
  );
}
