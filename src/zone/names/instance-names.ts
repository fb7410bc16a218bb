// The names of a service's instances: A, AAAA and (Kubernetes) SRV at `<hostname or dashed address>.<service>`,
// `<instance id>.<service>` elsewhere.
import type { Compilation } from './compile.ts';
import { isOfKubernetes } from './conventions.ts';
import { answersAsInstance, rrsetOf } from './draft.ts';
import { addPlans, type Endpoint } from './endpoint.ts';
import { childName, fitsBelow } from './label.ts';
import { PLAN, plan } from './plan.ts';
import { fillSrv } from './srv.ts';

export function instanceNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, plans, context } = compilation;
  const answering = answersAsInstance(service.policy, service.ttlSeconds);
  const areDistinct = endpoints.every((endpoint) => endpoint.hasAddressLabel) && compilation.hasDistinctAddresses;
  addPlans(plans, endpoints, { keyOf: ({ label }) => label, areDistinct, keptAs: 'ownPlans' }, (members) => {
    const { label } = members[0];
    return bases.flatMap((base, i) => {
      if (!fitsBelow(label, base)) {
        context.leftOut(`instance ${members[0].instance.id}: its name is too long`);
        return [];
      }
      return plan(PLAN.INSTANCE, compilation.fingerprint, label, members, {
        base: i,
        isBase: false,
        name: () => childName(label, base),
        fill(draft) {
          for (const { type, rdata, instanceSlot: slot } of members) {
            rrsetOf(draft, type, answering).records.push({ rdata, slot, weight: 1 });
          }
          if (!isOfKubernetes(service)) return;
          const ports = members.flatMap((endpoint) => endpoint.ports.map(({ port }) => ({ endpoint, port })));
          if (ports.length > 0) fillSrv(draft, service, base, ports, answering);
        },
      });
    });
  });
}
