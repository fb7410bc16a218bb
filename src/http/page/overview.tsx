// The first view: problems, then zones, sources, upstream servers and the most frequent queries.
import { answerTextOf, type HistoryChange } from '../../history/history.ts';
import type { TopList } from '../top.ts';
import { Charts } from './chart.tsx';
import { explainHref, queryOf, servicesHref } from './links.ts';
import type { Live, Model, ProblemGroup } from './model.ts';
import { Badge, More, Table, Time } from './parts.tsx';
import { count, headline, plural, short } from './words.ts';

export function Overview({ live, load }: Pick<Model, 'live' | 'load'>) {
  const { problems, totals } = live;
  return (
    <>
      <div role="status">
        <h1 class={problems[0]?.severity ?? 'fine'}>{headline(live)}</h1>
      </div>
      <p class="quiet">
        {plural(totals.services, 'service')}, {count(totals.answered)} of {plural(totals.instances, 'instance')}{' '}
        answered
      </p>
      {problems.map((group) => (
        <ProblemList key={group.title} {...group} />
      ))}
      <Charts load={load} />
      <Zones {...live} />
      <Upstreams {...live} />
      <Sources {...live} />
      <Changes {...live} />
      <Top {...live} />
      <p class="quiet">
        Configuration {live.configuration.hash} of {live.configuration.file}, in force since{' '}
        <Time at={live.configuration.since} />
      </p>
    </>
  );
}

function ProblemList({ severity, title, items, more, href }: ProblemGroup) {
  return (
    <section class={`problems ${severity}`} aria-label={title}>
      <h2>
        {title} <span class="quiet">{count(items.length + more)}</span>
      </h2>
      <ul>
        {items.map(({ subject, text, details = [], name }, index) => (
          <li key={`${index} ${subject}`}>
            <strong>
              {name === undefined ? <bdi>{subject}</bdi> : <a href={explainHref(name)}>{short(subject)}</a>}
            </strong>{' '}
            <bdi>{text}</bdi>
            {details.length === 0 ? null : <pre>{details.map((line) => line.trim()).join('\n')}</pre>}
          </li>
        ))}
      </ul>
      <More more={more} {...(href !== undefined && { href })} />
    </section>
  );
}

function Zones({ zones: { items, more } }: Live) {
  return (
    <section>
      <h2>Zones</h2>
      <Table label="Zones" heads={['Zone', 'State', 'Services', 'Instances', 'Answered', 'Records']}>
        {items.map(({ name, state, services, instances, answered, records }) => (
          <tr key={name}>
            <th scope="row">
              <a href={servicesHref(queryOf({ zone: name }))}>{short(name)}</a>
            </th>
            <td>
              <Badge tone={state === 'ready' ? 'good' : 'bad'}>{state}</Badge>
            </td>
            <td>{count(services)}</td>
            <td>{count(instances)}</td>
            <td>{count(answered)}</td>
            <td>{count(records)}</td>
          </tr>
        ))}
      </Table>
      <More more={more} />
    </section>
  );
}

function Upstreams({ upstreams: { items, more } }: Live) {
  if (items.length === 0) return null;
  return (
    <section>
      <h2>Upstream servers</h2>
      <Table
        label="Upstream servers"
        heads={['Server', 'For', 'State', 'Requests', 'Failures', 'Average', 'Last error']}
      >
        {items.map(({ upstream, zone, state, requests, failures, averageMs, detail }) => (
          <tr key={`${zone} ${upstream}`}>
            <th scope="row">{upstream}</th>
            <td>{zone}</td>
            <td>
              <Badge tone={state === 'up' ? 'good' : 'bad'}>{state}</Badge>
            </td>
            <td>{count(requests)}</td>
            <td>{count(failures)}</td>
            <td>{averageMs === undefined ? '' : `${averageMs} ms`}</td>
            <td>
              <bdi>{detail}</bdi>
            </td>
          </tr>
        ))}
      </Table>
      <More more={more} />
    </section>
  );
}

function Sources({ sources }: Live) {
  if (sources.length === 0) return null;
  return (
    <section>
      <h2>Sources</h2>
      <Table label="Sources" heads={['Source', 'Zones', 'State', 'Last contact', 'Detail']}>
        {sources.map(({ name, zones, state, ageSeconds, detail }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{zones.map(short).join(', ')}</td>
            <td>
              <Badge tone={state === 'synced' ? 'good' : 'bad'}>{state}</Badge>
            </td>
            <td>{ageSeconds === undefined ? 'never' : `${count(ageSeconds)} s ago`}</td>
            <td>
              <bdi>{detail}</bdi>
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Changes({ changes }: Live) {
  if (changes.length === 0) return null;
  return (
    <section>
      <h2>Changes of answers</h2>
      <ol class="timeline">
        {changes.map((change) => (
          <Change key={`${change.atMs} ${change.service}`} {...change} />
        ))}
      </ol>
    </section>
  );
}

const TRANSITIONS_SHOWN = 3;

export function Change({ atMs, name, transitions, more, after }: HistoryChange) {
  const shown = transitions.slice(0, TRANSITIONS_SHOWN);
  const left = more + transitions.length - shown.length;
  return (
    <li>
      <Time at={atMs} /> <a href={explainHref(name)}>{short(name)}</a>
      <ul>
        {shown.map(({ instance, from, to, answered, reason }) => (
          <li key={instance}>
            <Badge tone={answered ? 'good' : 'bad'}>{answered ? 'in' : 'OUT'}</Badge> <bdi>{instance}</bdi>{' '}
            <span class="quiet">
              {from} → {to}
            </span>{' '}
            <bdi>{reason}</bdi>
          </li>
        ))}
      </ul>
      {left > 0 ? <span class="quiet">… and {count(left)} more; </span> : null}
      <span class="quiet">then answered {answerTextOf(after)}</span>
    </li>
  );
}

const TITLES = { names: 'Names', clients: 'Clients', nxdomain: 'NXDOMAIN', servfail: 'SERVFAIL' } as const;

function Top({ top }: Live) {
  const lists = top.filter(({ entries }) => entries.length > 0);
  if (lists.length === 0) return null;
  return (
    <section>
      <h2>Most frequent in the last minute</h2>
      <div class="columns">
        {lists.map((list) => (
          <TopTable key={list.view} {...list} />
        ))}
      </div>
    </section>
  );
}

function TopTable({ view, entries }: TopList) {
  return (
    <Table label={`Most frequent: ${TITLES[view]}`} heads={[TITLES[view], 'Queries', 'Per second']}>
      {entries.map(({ key, count: queries, perSecond, pod, namespace }) => (
        <tr key={key}>
          <th scope="row">
            <a href={explainHref(key)}>{short(key)}</a>
            {pod === undefined ? null : <span class="quiet"> pod {`${namespace}/${pod}`}</span>}
          </th>
          <td>{count(queries)}</td>
          <td>{count(perSecond)}</td>
        </tr>
      ))}
    </Table>
  );
}
