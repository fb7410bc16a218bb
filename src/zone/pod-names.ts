// Namespaces: that they exist, and the names of their pods, "<dashed address>.<namespace>.pod" (specification 2.6).
import type { Compilation } from './compile.ts';
import { answersAsInstance, rrsetOf } from './draft.ts';
import { endpointsOf } from './endpoint.ts';
import { childName, dashedAddress } from './label.ts';
import { expandTemplate } from './template.ts';

const POD_TEMPLATE = '{namespace}.pod';

export function namespaceNames(compilation: Compilation): void {
  const { service, bases, drafts, context } = compilation;
  for (const base of bases) drafts.at(base);
  const podNames = service.podNames ?? 'disabled';
  if (podNames === 'disabled') return;
  const podsName = expandTemplate(POD_TEMPLATE, service, context.zone, context.leftOut);
  if (podsName === undefined) return;
  const parent = drafts.at(podsName);
  if (podNames === 'insecure') {
    parent.synthesizesPodAddresses = { ttlSeconds: service.ttlSeconds };
    return;
  }
  const answering = answersAsInstance(service.policy, service.ttlSeconds);
  for (const { address, type, rdata, slot } of endpointsOf(compilation)) {
    const name = childName(dashedAddress(address), podsName);
    if (name !== undefined) rrsetOf(drafts.at(name), type, answering).records.push({ rdata, slot, weight: 1 });
  }
}
