// Filters and pages of the List operations.
import { AwsError } from './aws-error.ts';
import type { Filter } from './request-shapes.ts';

/** For each filter name: the value of an item that it compares, and the conditions it allows. */
export type FilterRules<Item> = Readonly<
  Record<string, { readonly value: (item: Item) => string; readonly conditions: readonly Filter['Condition'][] }>
>;

/** The items that pass every filter. @throws AwsError InvalidInput for unknown names, conditions, or value counts */
export function filtered<Item>(items: Iterable<Item>, filters: readonly Filter[], rules: FilterRules<Item>): Item[] {
  const tests = filters.map((filter) => {
    const rule = Object.hasOwn(rules, filter.Name) ? rules[filter.Name]! : undefined;
    if (rule === undefined)
      throw new AwsError('InvalidInput', `filter ${filter.Name}: must be one of ${Object.keys(rules).join(', ')}`);
    if (!rule.conditions.includes(filter.Condition))
      throw new AwsError('InvalidInput', `filter ${filter.Name}: condition must be ${rule.conditions.join(' or ')}`);
    const matches = condition(filter);
    return (item: Item) => matches(rule.value(item));
  });
  return [...items].filter((item) => tests.every((passes) => passes(item)));
}

function condition({ Name, Values, Condition }: Filter): (value: string) => boolean {
  const count = Condition === 'BETWEEN' ? 2 : Condition === 'IN' ? Values.length : 1;
  if (Values.length !== count)
    throw new AwsError('InvalidInput', `filter ${Name}: ${Condition} takes ${count} value${count > 1 ? 's' : ''}`);
  const [first, second] = Values as [string, string];
  switch (Condition) {
    case 'EQ':
      return (value) => value === first;
    case 'IN':
      return (value) => Values.includes(value);
    case 'BEGINS_WITH':
      return (value) => value.startsWith(first);
    case 'BETWEEN':
      if (!Values.every((value) => Number.isFinite(Number(value))))
        throw new AwsError('InvalidInput', `filter ${Name}: BETWEEN takes two times in seconds since 1970`);
      return (value) => Number(value) >= Number(first) && Number(value) <= Number(second);
  }
}

/**
 * One page in the order of the items' ids, so that new or deleted items do not disturb it. The token holds the last id.
 * @throws AwsError InvalidInput for a token that no page returned
 */
export function page<Item>(
  items: readonly Item[],
  idOf: (item: Item) => string,
  request: { readonly NextToken?: string; readonly MaxResults: number },
): { readonly items: readonly Item[]; readonly nextToken: string | undefined } {
  const after = request.NextToken === undefined ? '' : decodeToken(request.NextToken);
  const rest = items.filter((item) => idOf(item) > after).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const shown = rest.slice(0, request.MaxResults);
  const last = shown.at(-1);
  const more = rest.length > shown.length && last !== undefined;
  return { items: shown, nextToken: more ? encodeToken(idOf(last)) : undefined };
}

const encodeToken = (id: string) => Buffer.from(`1:${id}`).toString('base64url');

function decodeToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('1:')) throw new AwsError('InvalidInput', 'NextToken: not a token issued by this API');
  return text.slice(2);
}
