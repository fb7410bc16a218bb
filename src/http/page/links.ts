// The addresses of the page's views. Texts from outside reach them only encoded.
import { type Asked, SHOWN, type Shown } from './model.ts';

/** Browsers remove "." from a path. */
export const explainHref = (name: string, query: Readonly<Record<string, string>> = {}): string => {
  const pairs = Object.entries({ ...(name === '.' && { name }), ...query }).filter(([, value]) => value !== '');
  const rest = new URLSearchParams(pairs).toString();
  return `/explain/${name === '.' ? '' : encodeURIComponent(name)}${rest === '' ? '' : `?${rest}`}`;
};

export const servicesHref = (query: string): string => `/services${query === '' ? '' : `?${query}`}`;

/** The query of a list; '' for all services. */
export function queryOf({ text, show, zone, after, before }: Partial<Asked>): string {
  const pairs = { q: text ?? '', show: show === 'all' ? '' : (show ?? ''), zone, after, before };
  const given = Object.entries(pairs).filter((pair): pair is [string, string] => (pair[1] ?? '') !== '');
  return new URLSearchParams(given).toString();
}

/** Longer searches are cut. */
const MAX_TEXT = 200;
const MAX_PLACE = 1_000;

/** Invalid values are ignored. */
export function askedIn(query: URLSearchParams): Asked {
  const show = query.get('show') as Shown;
  const { zone, after, before } = Object.fromEntries(query);
  return {
    text: (query.get('q') ?? '').slice(0, MAX_TEXT),
    show: SHOWN.includes(show) ? show : 'all',
    ...(zone && { zone: zone.slice(0, MAX_TEXT) }),
    ...(after ? { after: after.slice(0, MAX_PLACE) } : before && { before: before.slice(0, MAX_PLACE) }),
  };
}
