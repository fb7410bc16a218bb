// Services that exist and say nothing at their own name, and why: without endpoints, or with what cannot be said in DNS.
import { formatName, isSubdomain, sameName, type WireName } from '../../dns/name.ts';
import type { ServiceState } from '../../registry/registry.ts';
import { basesOf } from '../names/compile.ts';
import type { ZoneEntry } from '../publish/zone-table.ts';
import type { ExplainContext } from './explain.ts';
import type { OwnerExplanation } from './explain-owner.ts';

interface Asked {
  readonly context: Pick<ExplainContext, 'registry' | 'publication'>;
  readonly entry: ZoneEntry;
  readonly name: WireName;
}

/** Those whose name `name` is, but for the keys that claim it already. */
export function silentServices(asked: Asked, claiming: ReadonlySet<string>): OwnerExplanation[] {
  const { context, name } = asked;
  const silent: OwnerExplanation[] = [];
  for (const { state, bases } of servicesNamedIn(asked)) {
    if (claiming.has(state.key) || !bases.some((base) => sameName(base, name))) continue;
    const problems = [...(context.publication.owners.ofKey(state.key)?.problems ?? [])];
    const reason = whySilent(state, problems);
    silent.push({
      ...{ owner: state.key, isService: true, types: [], answered: [] },
      ...{ reason, problems, slots: undefined },
    });
  }
  return silent;
}

/** The key of a service whose name `name` is below. */
export function serviceAbove(asked: Asked): string | undefined {
  for (const { state, bases } of servicesNamedIn(asked)) {
    const isAbove = bases.some((base) => isSubdomain(asked.name, base) && !sameName(asked.name, base));
    if (isAbove && state.service?.kind !== 'namespace') return state.key;
  }
  return undefined;
}

function* servicesNamedIn({ context, entry, name }: Asked) {
  const text = formatName(name);
  for (const state of context.registry.services()) {
    const { service } = state;
    // Templates are expanded for those alone whose name occurs: there may be 100,000 others.
    if (service?.zone !== entry.config.name || !text.includes(service.name.toLowerCase())) continue;
    yield { state, bases: basesOf(service, { zone: entry.name, leftOut() {} }) };
  }
}

function whySilent({ service, instances }: ServiceState, problems: readonly string[]): string {
  const { kind, ignoreEmpty, policy } = service!;
  if (kind === 'instances' && instances.size === 0) {
    return `it has no instances: policy whenAllUnhealthy: ${policy.whenAllUnhealthy} decides`;
  }
  if (kind === 'clusterIp' && ignoreEmpty) {
    return 'none of its instances may be answered, and services without any are left out (ignoreEmptyService)';
  }
  return problems.length > 0 ? problems.join('; ') : 'it has not been published yet';
}
