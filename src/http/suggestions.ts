// Suggestions: the nearest services and zones, and the same service in another namespace.
import { distance } from '../reading/suggest.ts';
import { publishedName } from '../registry/published-name.ts';
import type { Registry } from '../registry/registry.ts';

const MAX_SUGGESTIONS = 3;
/** Beyond it a word is not a typo of another. */
const MAX_DISTANCE = 3;
/** What differs between two names, once equal beginnings and ends are left out, is compared up to this length. */
const MAX_COMPARED = 16;

/** `asked` is absolute. Nearest first; names without the final dot. */
export function suggestNames(
  asked: string,
  zones: readonly string[],
  registry: Pick<Registry, 'services'>,
): readonly string[] {
  const name = withNearestZone(asked, zones);
  const best: { readonly text: string; readonly far: number }[] = [];
  const add = (text: string, far: number) => {
    if (text === asked || best.some((one) => one.text === text)) return;
    best.push({ text, far });
    best.sort((a, b) => a.far - b.far);
    best.length = Math.min(best.length, MAX_SUGGESTIONS);
  };
  const [label] = name.split('.');
  for (const { service } of registry.services()) {
    if (service === undefined || service.kind === 'namespace') continue;
    const isNamesake = service.name.toLowerCase() === label;
    // Most services have a name of another length.
    const published = publishedName(service);
    const far = differenceOf(published, name);
    if (far <= MAX_DISTANCE) add(published, far);
    else if (isNamesake && name.endsWith(service.zone)) add(published, MAX_DISTANCE + 1);
  }
  if (name !== asked && best.length === 0) add(name, MAX_DISTANCE + 1);
  return best.map(({ text }) => text.replace(/\.$/, ''));
}

/** The name with the zone that its end is a typo of. */
function withNearestZone(asked: string, zones: readonly string[]): string {
  if (zones.some((zone) => asked === zone || asked.endsWith(`.${zone}`))) return asked;
  const labels = asked.split('.');
  const near = zones
    .filter((zone) => zone !== '.')
    .flatMap((zone) => {
      const count = zone.split('.').length;
      if (count > labels.length) return [];
      const rest = labels.slice(0, labels.length - count);
      return [{ name: [...rest, zone].join('.'), far: differenceOf(labels.slice(-count).join('.'), zone) }];
    })
    .sort((a, b) => a.far - b.far)[0];
  return near !== undefined && near.far <= MAX_DISTANCE ? near.name : asked;
}

/** The distance between two texts, or more than MAX_DISTANCE. */
function differenceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > MAX_DISTANCE) return MAX_DISTANCE + 1;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < Math.min(one.length, other.length) - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const [a, b] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  if (Math.max(a.length, b.length) > MAX_COMPARED) return MAX_DISTANCE + 1;
  return distance(a, b);
}
