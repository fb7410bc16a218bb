// The page in a browser: renders updates from the server, searches while the user types. Without it the page is complete,
// and reloads itself.
import { render } from 'preact';
import type { Load } from '../../history/load.ts';
import type { HistoryExplanation } from '../explain-history.ts';
import type { Explanation } from '../explanation.ts';
import { askedIn, queryOf, servicesHref } from './links.ts';
import type { Connection, Found, Live, View } from './model.ts';
import { Page } from './page.tsx';
import { titleOf } from './words.ts';

/** If the server has no room for another live page, this one retries after a randomized delay. */
const POLL_MS = 15_000;
const VIEW_MS = 5_000;
/** A search is more expensive for the server than an explanation. */
const LIST_MS = 15_000;
const TYPING_MS = 200;

let live: Live | undefined;
let load: Load | undefined;
let view: View | undefined;
let events: EventSource | undefined;
let poll: ReturnType<typeof setTimeout> | undefined;
let connection: Connection = 'static';

function show(): void {
  if (live === undefined || load === undefined || view === undefined) return;
  const model = { live, load, view, connection };
  render(<Page model={model} />, document.body);
  document.title = titleOf(model);
}

function connect(): void {
  disconnect();
  events = new EventSource('/page/events');
  events.addEventListener('open', () => {
    connection = 'live';
  });
  events.addEventListener('live', ({ data }) => {
    live = JSON.parse(data);
    show();
  });
  events.addEventListener('load', ({ data }) => {
    load = JSON.parse(data);
    show();
  });
  events.addEventListener('error', () => {
    connection = 'lost';
    show();
    // Refused: browsers do not retry by themselves.
    if (events?.readyState === EventSource.CLOSED) pollLater();
  });
}

function disconnect(): void {
  events?.close();
  clearTimeout(poll);
}

function pollLater(): void {
  clearTimeout(poll);
  poll = setTimeout(pollNow, POLL_MS * (0.5 + Math.random()));
}

async function pollNow(): Promise<void> {
  const state = await json<{ live: Live; load: Load }>('/page/state');
  connection = state === undefined ? 'lost' : 'static';
  if (state !== undefined) ({ live, load } = state);
  show();
  if (Math.random() < 0.2) connect();
  else pollLater();
}

/** undefined: it no longer exists. */
async function json<Value>(url: string): Promise<Value | undefined> {
  try {
    const response = await fetch(url, { headers: { accept: 'application/json' } });
    return response.ok || response.status === 404 ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** What the address of the window names, as it is now. */
async function refreshView(): Promise<void> {
  const { pathname, search } = window.location;
  const next = await viewOf(pathname, new URLSearchParams(search));
  // The user has navigated away in the meantime.
  if (next === undefined || window.location.pathname !== pathname || window.location.search !== search) return;
  view = next;
  show();
}

async function viewOf(path: string, query: URLSearchParams): Promise<View | undefined> {
  if (path === '/') return { page: 'overview' };
  query.set('format', 'json');
  if (path === '/services') {
    const found = await json<Found>(`/services?${query}`);
    return found && { page: 'services', found };
  }
  if (!path.startsWith('/explain/')) return undefined;
  query.set('history', '');
  const explained = await json<Explanation & { history?: HistoryExplanation }>(`${path}?${query}`);
  if (explained === undefined) return undefined;
  const { history, ...explanation } = explained;
  const list = queryOf(askedIn(new URLSearchParams(query.get('list') ?? '')));
  const asked = decodeURIComponent(path.slice('/explain/'.length)) || (query.get('name') ?? '');
  return { page: 'explain', asked, list, explanation, ...(history && { history }) };
}

let typing: ReturnType<typeof setTimeout> | undefined;

/** The list is searched while the user types; on other views, Enter opens the list. */
document.addEventListener('input', ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.id !== 'q' || window.location.pathname !== '/services') return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const asked = {
      ...askedIn(new URLSearchParams(window.location.search)),
      text: target.value,
      after: '',
      before: '',
    };
    window.history.replaceState(null, '', servicesHref(queryOf(asked)));
    void refreshView();
  }, TYPING_MS);
});

/** "/" focuses the search, as on other sites. */
document.addEventListener('keydown', (pressed) => {
  if (pressed.key !== '/' || pressed.ctrlKey || pressed.metaKey || pressed.target instanceof HTMLInputElement) return;
  pressed.preventDefault();
  document.querySelector<HTMLInputElement>('#q')?.focus();
});

/** A hidden page does not need a connection; browsers allow only a few per server. */
function seen(): void {
  if (document.visibilityState === 'hidden') disconnect();
  else {
    connect();
    void refreshView();
  }
}

document.addEventListener('visibilitychange', seen);
window.addEventListener('popstate', () => void refreshView());
function refreshWhileSeen(path: string, everyMs: number): void {
  setInterval(() => {
    if (document.visibilityState === 'visible' && window.location.pathname.startsWith(path)) void refreshView();
  }, everyMs);
}

refreshWhileSeen('/explain/', VIEW_MS);
refreshWhileSeen('/services', LIST_MS);
seen();
