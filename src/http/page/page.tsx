// The frame of every view: a line with the problems, navigation, search. Rendered by the server and, where
// it changes, by the browser.
import type { ComponentChildren } from 'preact';
import { cleaned } from './clean.ts';
import { Explained } from './explained.tsx';
import type { Live, Model, View } from './model.ts';
import { Overview } from './overview.tsx';
import { Time } from './parts.tsx';
import { ServiceList } from './services.tsx';

export function Page({ model }: { readonly model: Model }) {
  const { live, load, view, connection } = cleaned(model);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <div class="bar">
          <a class="brand" href="/">
            healthdns
          </a>
          <nav aria-label="Views">
            <NavLink href="/" isCurrent={view.page === 'overview'}>
              Overview
            </NavLink>
            <NavLink href="/services" isCurrent={view.page === 'services'}>
              Services
            </NavLink>
          </nav>
          <Search view={view} />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Content {...{ live, load, view }} />
      </main>
      <footer>
        <p>
          healthdns {live.version} on {live.replica}, <Moment connection={connection} atMs={live.atMs} />
        </p>
        <p>
          <a href="/ready">ready</a> <a href="/metrics">metrics</a> <a href="/status">status as JSON</a>
        </p>
      </footer>
    </>
  );
}

function Content({ live, load, view }: Omit<Model, 'connection'>) {
  switch (view.page) {
    case 'overview':
      return <Overview {...{ live, load }} />;
    case 'services':
      return <ServiceList found={view.found} />;
    case 'explain':
      return <Explained {...view} nowMs={live.atMs} />;
    case 'error':
      return (
        <>
          <nav class="crumbs" aria-label="Way back">
            <a href="/">Overview</a>
          </nav>
          <h1>{view.title}</h1>
          <p>{view.text}</p>
        </>
      );
  }
}

function NavLink(props: { readonly href: string; readonly isCurrent: boolean; readonly children: ComponentChildren }) {
  return (
    <a href={props.href} aria-current={props.isCurrent ? 'page' : undefined}>
      {props.children}
    </a>
  );
}

function Search({ view }: { readonly view: View }) {
  return (
    <search>
      <form action="/services">
        <label class="unseen" for="q">
          Search services and instances of all zones
        </label>
        <input
          {...{ id: 'q', name: 'q', type: 'search', maxLength: 200, autocomplete: 'off', spellcheck: false }}
          placeholder="Service, instance or address"
          defaultValue={view.page === 'services' ? view.found.asked.text : ''}
          aria-keyshortcuts="/"
        />
        <button type="submit">Search</button>
      </form>
    </search>
  );
}

function Moment({ connection, atMs }: Pick<Model, 'connection'> & Pick<Live, 'atMs'>) {
  if (connection === 'live') return <span class="live">live</span>;
  return (
    <>
      {connection === 'lost' ? 'connection lost; ' : ''}as of <Time at={atMs} />
    </>
  );
}
