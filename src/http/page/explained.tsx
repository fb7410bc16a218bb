// Why a name is answered as it is, with the way back to the list that led here.
import type { RRsetAnswer } from '../../zone/explain/answers.ts';
import type { Explanation, FactExplanation, InstanceExplanation, ServiceExplanation } from '../explanation.ts';
import { explainHref, servicesHref } from './links.ts';
import type { View } from './model.ts';
import { Answered, Badge, More, Table, Time } from './parts.tsx';
import { Timeline } from './timeline.tsx';
import { count, plural, short } from './words.ts';

type Props = Extract<View, { readonly page: 'explain' }> & { readonly nowMs: number };

export function Explained({ asked, list, explanation, history, nowMs }: Props) {
  return (
    <>
      <nav class="crumbs" aria-label="Way back">
        <a href="/">Overview</a>
        <a href={servicesHref(list)}>{list === '' ? 'Services' : 'List of services'}</a>
      </nav>
      <Name {...explanation} isFirst />
      {history === undefined ? null : <Timeline {...{ history, asked, list, nowMs }} />}
      <p class="quiet">
        The same as <a href={explainHref(asked, { format: 'text' })}>text</a> or{' '}
        <a href={explainHref(asked, { format: 'json' })}>JSON</a>
        {explanation.replica === undefined ? '' : `, answered by ${explanation.replica}`}
      </p>
    </>
  );
}

/** One name of a chain of CNAMEs. */
function Name(explanation: Explanation & { readonly isFirst?: boolean }) {
  const { name, summary, answers, services, target, suggestions = [], isFirst = false } = explanation;
  return (
    <>
      <AskedFor {...explanation} />
      {isFirst ? <h1 class="name">{short(name)}</h1> : <h2 class="name">{short(name)}</h2>}
      <p class="summary">
        <bdi>{summary}</bdi>
      </p>
      {suggestions.map((one) => (
        <p key={one}>
          Did you mean <a href={explainHref(one)}>{one}</a>?
        </p>
      ))}
      <Stale {...explanation} />
      <Holders {...explanation} />
      {answers.length === 0 ? null : (
        <Table label={`Answers of ${short(name)}`} heads={['Type', 'Answered', 'Left out', 'TTL']}>
          {answers.map((answer) => (
            <AnswerRow key={answer.type} {...answer} />
          ))}
        </Table>
      )}
      <Forwarding {...explanation} />
      <Claims {...explanation} />
      {services
        .filter(({ kind, instances }) => kind !== 'namespace' || instances.length > 0)
        .map((service) => (
          <Service key={service.key} service={service} />
        ))}
      {target === undefined ? null : <Name {...target} />}
    </>
  );
}

function AskedFor({ askedFor, search }: Explanation) {
  return (
    <>
      {search === undefined ? null : (
        <>
          <p>
            From {search.from}: <bdi>{search.note}</bdi>
          </p>
          <ol>
            {search.steps.map(({ name, outcome }) => (
              <li key={name}>
                asks for <a href={explainHref(name)}>{short(name)}</a>: {outcome}
              </li>
            ))}
          </ol>
        </>
      )}
      {askedFor === undefined ? null : <p class="quiet">{askedFor} is short for</p>}
    </>
  );
}

function Stale({ stale = [] }: Explanation) {
  return (
    <>
      {stale.map(({ source, ageSeconds, problems }) => (
        <p key={source}>
          <Badge tone="warn">{ageSeconds === undefined ? 'not read' : `${count(ageSeconds)} s old`}</Badge> {source}{' '}
          <bdi>{problems.join('; ')}</bdi>
        </p>
      ))}
    </>
  );
}

function Holders({ address, holders }: Explanation) {
  if (holders === undefined) return null;
  if (holders.length === 0) return <p>No service, instance or pod has {address}.</p>;
  return (
    <ul>
      {holders.map(({ service, name, as, instance, answered, reason }) => (
        <li key={`${service} ${as} ${instance}`}>
          {answered === undefined ? null : <Badge tone={answered ? 'good' : 'bad'}>{answered ? 'in' : 'OUT'}</Badge>}{' '}
          {as} <bdi>{instance}</bdi> of <a href={explainHref(name)}>{short(name)}</a> <bdi>{reason}</bdi>
        </li>
      ))}
    </ul>
  );
}

const RECORDS_SHOWN = 16;
const listed = (records: readonly string[]): string =>
  `${records.slice(0, RECORDS_SHOWN).join(', ')}${records.length > RECORDS_SHOWN ? `, … and ${count(records.length - RECORDS_SHOWN)} more` : ''}`;

function AnswerRow({ type, ttlSeconds, outcome, answered, leftOut, atMost }: RRsetAnswer) {
  const isCut = atMost > 0 && atMost < answered.length;
  return (
    <tr>
      <th scope="row">{type}</th>
      <td>
        {outcome === 'answered' ? listed(answered) : <Badge tone="bad">{outcome}</Badge>}
        {isCut ? <span class="quiet"> ({atMost} in an answer)</span> : null}
      </td>
      <td>{listed(leftOut)}</td>
      <td>{ttlSeconds} s</td>
    </tr>
  );
}

function Forwarding({ forwarding }: Explanation) {
  if (forwarding === undefined) return null;
  const { rules, route, upstreams, cached, isForwarded } = forwarding;
  return (
    <>
      {rules.length === 0 ? null : (
        <ul>
          {rules.map((rule) => (
            <li key={rule}>rule: {rule}</li>
          ))}
        </ul>
      )}
      {!isForwarded || upstreams.length === 0 ? null : (
        <Table label="Upstream servers" heads={[`Route for ${route}`, 'State', 'Failures', 'Last error']}>
          {upstreams.map(({ upstream, up, loops, requests, failures, lastError }) => (
            <tr key={upstream}>
              <th scope="row">{upstream}</th>
              <td>
                <Badge tone={up && !loops ? 'good' : 'bad'}>{loops ? 'loop' : up ? 'up' : 'down'}</Badge>
              </td>
              <td>
                {count(failures)} of {plural(requests, 'query').replace(/querys$/, 'queries')}
              </td>
              <td>
                <bdi>{lastError ?? ''}</bdi>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {cached.length === 0 ? null : (
        <Table label="Cached answers" heads={['Cached', 'Response', 'For another', 'Why']}>
          {cached.map(({ type, rcode, ttlSeconds, why }) => (
            <tr key={type}>
              <th scope="row">{type}</th>
              <td>{rcode}</td>
              <td>{ttlSeconds < 0 ? `expired ${-ttlSeconds} s ago` : `${ttlSeconds} s`}</td>
              <td>
                <bdi>{why ?? ''}</bdi>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function Claims({ claims }: Explanation) {
  if (claims.length < 2) return null;
  return (
    <Table label="Who claims the name" heads={['Claimed by', 'Types', 'Answers', 'Why']}>
      {claims.map(({ owner, types, answered, reason }) => (
        <tr key={owner}>
          <th scope="row">{owner}</th>
          <td>{types.join(', ')}</td>
          <td>{answered.length === 0 ? 'none' : answered.join(', ')}</td>
          <td>
            <bdi>{reason}</bdi>
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** A longer list is cut: those that are left out come first. */
const INSTANCES_SHOWN = 100;

function Service({ service }: { readonly service: ServiceExplanation }) {
  const {
    kind,
    namespace,
    isWhole,
    clusterIps = [],
    externalName,
    policyText,
    instances,
    more,
    problems,
    source,
  } = service;
  const answered = instances.filter((one) => one.answered).length;
  const shown = instances.slice(0, INSTANCES_SHOWN);
  return (
    <section>
      <h2>{kind === 'namespace' ? `Pods of the namespace ${namespace}` : `Instances from ${source}`}</h2>
      {kind === 'clusterIp' && isWhole ? (
        <p>Answers its cluster IP {clusterIps.join(', ')}, regardless of health.</p>
      ) : null}
      {externalName === undefined ? null : <p>Is an alias of {externalName}.</p>}
      <p class="quiet">Policy: {policyText}</p>
      {problems.map((problem) => (
        <p key={problem}>
          Left out: <bdi>{problem}</bdi>
        </p>
      ))}
      {isWhole ? <Answered {...{ answered, size: instances.length + more, kind }} /> : null}
      <ul class="instances">
        {shown.map((instance) => (
          <Instance key={`${instance.id} ${instance.addresses[0]}`} {...instance} />
        ))}
      </ul>
      <More more={instances.length - shown.length + more} />
    </section>
  );
}

function Instance({ id, addresses, status, answered, rule, reason, since, weightPercent, facts }: InstanceExplanation) {
  return (
    <li>
      <Badge tone={!answered ? 'bad' : status === 'UNKNOWN' ? 'warn' : 'good'}>
        {answered ? `in ${status}` : `OUT ${status}`}
      </Badge>{' '}
      <strong>
        <bdi>{id}</bdi>
      </strong>{' '}
      <span class="quiet">{addresses.join(', ')}</span>
      <p>
        <bdi>{reason}</bdi>{' '}
        <span class="quiet">
          rule {rule}
          {since === undefined ? null : (
            <>
              , since <Time at={since} />
            </>
          )}
          {weightPercent === undefined ? '' : `, slow start: ${weightPercent} % of its weight by now`}
        </span>
      </p>
      {facts.length === 0 ? null : (
        <details>
          <summary>{plural(facts.length, 'fact')}</summary>
          <ul>
            {facts.map((fact) => (
              <Fact key={`${fact.source} ${fact.name}`} {...fact} />
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function Fact({ source, name, status, reason, since, uncounted }: FactExplanation) {
  return (
    <li>
      <strong>
        {source} {name}
      </strong>{' '}
      {status} <bdi>{reason}</bdi>{' '}
      <span class="quiet">
        since <Time at={since} />
        {uncounted === undefined ? '' : ` (not counted: ${uncounted})`}
      </span>
    </li>
  );
}
