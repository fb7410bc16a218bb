// Who of a service's instances is answered: for the API, by the rules that the data plane applies to each answer.
import type { Random } from '../../clock.ts';
import type { InstanceState, ServicePolicy } from '../../registry/model.ts';

export interface Selection<State> {
  /** none: the service has no instances at all. The others are what `whenAllUnhealthy` asks for. */
  readonly outcome: 'answered' | 'none' | 'nodata' | 'nxdomain' | 'servfail';
  readonly instances: readonly State[];
  /** All are unhealthy, and all are answered nevertheless (`whenAllUnhealthy: all`). */
  readonly failedOpen: boolean;
}

/**
 * Selects by the slots' meaning (HEALTHY, and UNKNOWN unless excluded), then `whenAllUnhealthy`, then `routing`:
 * multivalue gives at most `maxAnswers` (0: all) in random order, weighted one by weight.
 */
export function select<State extends Pick<InstanceState, 'verdict' | 'instance' | 'weight'>>(
  states: Iterable<State>,
  policy: Pick<ServicePolicy, 'whenAllUnhealthy' | 'maxAnswers' | 'routing'>,
  random: Random,
): Selection<State> {
  const all = [...states];
  if (all.length === 0) return { outcome: 'none', instances: [], failedOpen: false };
  const alive = all.filter((state) => state.verdict.answered);
  const failedOpen = alive.length === 0;
  if (failedOpen && policy.whenAllUnhealthy !== 'all') {
    return { outcome: policy.whenAllUnhealthy, instances: [], failedOpen: false };
  }
  const candidates = failedOpen ? all : alive;
  const weightOf = (state: State) => state.weight;
  const instances =
    policy.routing === 'weighted'
      ? [pickByWeight(candidates, weightOf, random)]
      : shuffled(candidates, random).slice(0, policy.maxAnswers === 0 ? undefined : policy.maxAnswers);
  return { outcome: 'answered', instances, failedOpen };
}

/** One of them; those of weight 0 only where all have it, and then each is as likely. */
function pickByWeight<Item>(items: readonly Item[], weightOf: (item: Item) => number, random: Random): Item {
  const total = items.reduce((sum, item) => sum + weightOf(item), 0);
  if (total <= 0) return items[Math.floor(random() * items.length)];
  let left = random() * total;
  for (const item of items) {
    left -= weightOf(item);
    if (left < 0) return item;
  }
  return items.findLast((item) => weightOf(item) > 0)!; // rounding took the last step
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
