// The list of services: the search, one page of results, and links to the others.
import { explainHref, queryOf, servicesHref } from './links.ts';
import { type Asked, type Found, type FoundService, SHOWN, type Shown } from './model.ts';
import { Answered, InstanceLine } from './parts.tsx';
import { count, plural, short } from './words.ts';

const LABELS: Readonly<Record<Shown, string>> = {
  all: 'All',
  trouble: 'With instances left out',
  dead: 'Dead',
  empty: 'Without instances',
};

export function ServiceList({ found }: { readonly found: Found }) {
  const { asked, services, matches, skipped } = found;
  const { text, zone } = asked;
  const list = queryOf(asked);
  const range = services.length === 0 ? '' : `${count(skipped + 1)} to ${count(skipped + services.length)} of `;
  return (
    <>
      <h1>Services{zone === undefined ? '' : ` of ${short(zone)}`}</h1>
      <Filters {...asked} />
      <p role="status">
        {range}
        {plural(matches, 'service')}
        {text === '' ? '' : ` that match “${text}”`}
      </p>
      {text !== '' && !text.includes(' ') ? (
        <p>
          <a href={explainHref(text, { list })}>Explain the name or address “{text}”</a>
        </p>
      ) : null}
      <ul class="services">
        {services.map((service) => (
          <ServiceItem key={service.place} {...service} list={list} />
        ))}
      </ul>
      <Paging {...found} />
    </>
  );
}

function Filters(asked: Asked) {
  return (
    <nav class="filters" aria-label="Which services">
      {SHOWN.map((show) => (
        <a
          key={show}
          href={servicesHref(queryOf({ ...asked, show, after: '', before: '' }))}
          aria-current={show === asked.show ? 'true' : undefined}
        >
          {LABELS[show]}
        </a>
      ))}
      {asked.zone === undefined ? null : (
        <a href={servicesHref(queryOf({ ...asked, zone: '', after: '', before: '' }))}>Of all zones</a>
      )}
    </nav>
  );
}

function ServiceItem(service: FoundService & { readonly list: string }) {
  const { name, kind, source, size, answered, clusterIps, instances, list } = service;
  return (
    <li>
      <a class="name" href={explainHref(name, { list })}>
        {short(name)}
      </a>
      <Answered {...{ answered, size, kind }} />
      <span class="quiet">
        {clusterIps === undefined ? '' : `cluster IP ${clusterIps.join(', ')}, `}
        {source}
      </span>
      {instances.length === 0 ? null : (
        <ul>
          {instances.map((instance) => (
            <InstanceLine key={`${instance.id} ${instance.addresses[0]}`} {...instance} />
          ))}
        </ul>
      )}
    </li>
  );
}

function Paging({ asked, services, matches, skipped }: Found) {
  if (services.length === 0) return null;
  const rest = { ...asked, after: '', before: '' };
  const isLast = skipped + services.length >= matches;
  return (
    <nav class="paging" aria-label="Pages of the list">
      {skipped === 0 ? null : (
        <>
          <a href={servicesHref(queryOf(rest))}>First</a>
          <a rel="prev" href={servicesHref(queryOf({ ...rest, before: services[0].place }))}>
            Previous
          </a>
        </>
      )}
      {isLast ? null : (
        <a rel="next" href={servicesHref(queryOf({ ...rest, after: services.at(-1)!.place }))}>
          Next
        </a>
      )}
    </nav>
  );
}
