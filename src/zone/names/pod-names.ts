// Namespaces: that they exist, and the names of their pods, "<dashed address>.<namespace>.pod" (specification 2.6).
import type { WireName } from '../../dns/name.ts';
import type { Compilation } from './compile.ts';
import { answersAsInstance, type NameDraft, rrsetOf } from './draft.ts';
import { addPlans, endpointsOf, type Sharing } from './endpoint.ts';
import { childName, dashedAddress, fitsBelow } from './label.ts';
import { NO_BASE, PLAN, plan } from './plan.ts';
import { expandTemplate } from './template.ts';

const POD_TEMPLATE = '{namespace}.pod';

export function namespaceNames(compilation: Compilation): void {
  const { service, bases, context } = compilation;
  bases.forEach((base, i) => {
    addExisting(compilation, PLAN.BASE, i, base, () => {});
  });
  const podNames = service.podNames ?? 'disabled';
  if (podNames === 'disabled') return;
  const podsName = expandTemplate(POD_TEMPLATE, service, context.zone, context.leftOut);
  if (podsName === undefined) return;
  const { ttlSeconds } = service;
  addExisting(compilation, PLAN.PODS, NO_BASE, podsName, (draft) => {
    if (podNames === 'insecure') draft.synthesizesPodAddresses = { ttlSeconds };
  });
  if (podNames === 'verified') verifiedPods(compilation, podsName);
}

function addExisting(
  compilation: Compilation,
  kind: number,
  base: number,
  name: WireName,
  fill: (draft: NameDraft) => void,
): void {
  const isBase = base !== NO_BASE;
  compilation.plans.push(plan(kind, compilation.fingerprint, '', [], { base, isBase, name: () => name, fill }));
}

function verifiedPods(compilation: Compilation, podsName: WireName): void {
  const { service, plans } = compilation;
  const answering = answersAsInstance(service.policy, service.ttlSeconds);
  const areDistinct = compilation.hasDistinctAddresses;
  const sharing: Sharing = { keyOf: ({ address }) => address, areDistinct, keptAs: 'ownPlans' };
  addPlans(plans, endpointsOf(compilation), sharing, (members) => {
    const label = dashedAddress(members[0].address);
    if (!fitsBelow(label, podsName)) return [];
    const naming = {
      base: NO_BASE,
      isBase: false,
      name: () => childName(label, podsName),
      fill(draft: NameDraft) {
        for (const { type, rdata, slot } of members) {
          rrsetOf(draft, type, answering).records.push({ rdata, slot, weight: 1 });
        }
      },
    };
    return [plan(PLAN.POD, compilation.fingerprint, label, members, naming)];
  });
}
