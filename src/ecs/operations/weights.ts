// The weight of a revision's tasks in answers of services with routing policy WEIGHTED: blue and green without a load balancer.

import { serviceKey, type Tags } from '../model/ecs-records.ts';
import type { EcsState } from '../model/ecs-state.ts';
import type { Task } from '../task.ts';

/** A tag of a task definition; with "/3" after it, a tag of a service for its revision 3, which goes before. */
const WEIGHT_TAG = 'healthdns.dev/weight';
/** As in Route 53. */
const MAX_WEIGHT = 255;
const DEFAULT_WEIGHT = 1;

export function weightOfTask({ services, definitions }: EcsState, { cluster, service, definition }: Task): number {
  const revision = definition?.split(':')[1];
  const ofService = services.get(serviceKey({ cluster: cluster ?? 'default', name: service ?? '' }));
  return (
    (ofService && weightIn(ofService.tags, `${WEIGHT_TAG}/${revision}`)) ??
    weightIn(definitions.get(definition ?? '')?.tags ?? {}, WEIGHT_TAG) ??
    DEFAULT_WEIGHT
  );
}

function weightIn(tags: Tags, key: string): number | undefined {
  const text = tags[key];
  return text !== undefined && /^\d{1,3}$/.test(text) ? Math.min(MAX_WEIGHT, Number(text)) : undefined;
}

/** Why a tag's value is not a weight; undefined: it is, or the tag is not a weight tag. */
export function weightProblem(tags: Tags): string | undefined {
  const wrong = Object.keys(tags).find(
    (key) => (key === WEIGHT_TAG || key.startsWith(`${WEIGHT_TAG}/`)) && weightIn(tags, key) === undefined,
  );
  return wrong && `the tag ${wrong} must be a whole number from 0 to ${MAX_WEIGHT}`;
}
