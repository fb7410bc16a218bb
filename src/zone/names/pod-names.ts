// Namespaces: their existence, and the names of their pods, "<dashed address>.<namespace>.pod" (specification 2.6).
import type { WireName } from '../../dns/name.ts';
import { type Compilation, expandTemplate } from './compilation.ts';
import { addNames, type Endpoint } from './endpoint.ts';
import { childName, dashedAddress, fitsBelow } from './label.ts';
import { answersAsInstance, draftOf, published, rrsetOf } from './published-name.ts';

const POD_TEMPLATE = '{namespace}.pod';

/** `pods`: the namespace's pods; only used if their names are verified. */
export function namespaceNames(compilation: Compilation, pods: () => readonly Endpoint[]): void {
  const { service, bases, names, context } = compilation;
  for (const base of bases) names.push(published(draftOf(base)));
  const podNames = service.podNames ?? 'disabled';
  if (podNames === 'disabled') return;
  const podsName = expandTemplate(POD_TEMPLATE, service, context.zone, context.leftOut);
  if (podsName === undefined) return;
  const draft = draftOf(podsName);
  if (podNames === 'insecure') draft.synthesizesPodAddresses = { ttlSeconds: service.ttlSeconds };
  names.push(published(draft));
  if (podNames === 'verified') verifiedPods(compilation, podsName, pods());
}

function verifiedPods(
  { service, names, hasDistinctAddresses: areDistinct }: Compilation,
  podsName: WireName,
  pods: readonly Endpoint[],
): void {
  const answering = answersAsInstance(service.policy, service.ttlSeconds);
  addNames(names, pods, { keyOf: ({ address }) => address, areDistinct, keptAs: 'ownNames' }, (members) => {
    const [{ address, label: own, hasAddressLabel }] = members;
    const label = hasAddressLabel ? own : dashedAddress(address);
    if (!fitsBelow(label, podsName)) return [];
    const draft = draftOf(childName(label, podsName));
    for (const { type, rdata, slot } of members) {
      rrsetOf(draft, type, answering).records.push({ rdata, slot, weight: 1 });
    }
    return [published(draft)];
  });
}
