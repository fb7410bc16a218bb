// Resolves user input for an explanation: short names, addresses, the search path of a pod, suggestions.
import { NameError, reverseName } from '../dns/name.ts';
import type { Registry } from '../registry/registry.ts';
import { holdersOf, podWith } from './address-holders.ts';
import type { Explanation, SearchStep } from './explanation.ts';
import { addressText, type ForwardingExplanation, forwardingSummary } from './forwarding.ts';
import { suggestNames } from './suggestions.ts';

export interface AskedContext {
  /** Explains one absolute name, and the names that its CNAMEs lead to. Throws NameError. */
  readonly explain: (name: string) => Explanation;
  readonly registry: Pick<Registry, 'service' | 'services' | 'podAddresses'>;
  /** The zones served, those of clusters first. */
  readonly zones: () => readonly { readonly name: string; readonly isCluster: boolean }[];
  /** undefined: nothing is forwarded, and no rules apply. */
  readonly forwarding?: (
    name: string,
    from: string | undefined,
    isForwarded: boolean,
  ) => Promise<ForwardingExplanation>;
  /** The name of this replica. */
  readonly replica: string;
}

/** `from`: the address of the pod that asks. Throws NameError for what is neither a name nor an address. */
export async function explainAsked(
  asked: string,
  from: string | undefined,
  context: AskedContext,
): Promise<Explanation> {
  const address = addressText(asked);
  const client = from === undefined ? undefined : addressText(from);
  if (from !== undefined && client === undefined) throw new NameError(`"${from}" is not an address of a pod`);
  const found =
    address !== undefined
      ? withHolders(context.explain(reverseName(address)), address, context)
      : client !== undefined
        ? searched(asked, client, context)
        : named(asked, context);
  const whole = { ...found, replica: context.replica };
  return context.forwarding === undefined ? whole : withForwarding(whole, client, context.forwarding);
}

const isUnknown = ({ exists, services }: Explanation): boolean => exists === 'absent' && services.length === 0;
const isOutside = ({ zone }: Explanation): boolean => zone === undefined;

function withHolders(found: Explanation, address: string, { registry }: AskedContext): Explanation {
  return { ...found, address, holders: holdersOf(address, registry) };
}

/** The name as it is, or completed by a zone where that exists: web.shop is web.shop.svc.cluster.local. */
function named(asked: string, context: AskedContext): Explanation {
  const found = context.explain(asked);
  if (!(isUnknown(found) || isOutside(found))) return found;
  for (const name of longerNames(asked, context.zones())) {
    const longer = tryExplain(name, context);
    if (longer !== undefined && !isUnknown(longer) && longer.exists !== 'wildcard')
      return { ...longer, askedFor: asked };
  }
  return withSuggestions(found, asked, context);
}

/** Candidates for a short name; none for a name with a final dot. */
export const longerNames = (asked: string, zones: ReturnType<AskedContext['zones']>): readonly string[] =>
  asked.endsWith('.')
    ? []
    : zones.flatMap(({ name, isCluster }) =>
        (isCluster ? ['svc.', ''] : ['']).map((middle) => `${asked}.${middle}${name}`),
      );

function tryExplain(name: string, { explain }: AskedContext): Explanation | undefined {
  try {
    return explain(name);
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

function withSuggestions(found: Explanation, asked: string, { zones, registry }: AskedContext): Explanation {
  const all = zones();
  const near = (name: string) =>
    suggestNames(
      name,
      all.map((zone) => zone.name),
      registry,
    );
  const clusters = all.filter(({ isCluster }) => isCluster);
  const short = asked.endsWith('.') || asked.split('.').length > 2 ? [] : clusters;
  const suggestions = [...near(found.name), ...short.flatMap(({ name }) => near(`${found.name}svc.${name}`))];
  const distinct = [...new Set(suggestions)].slice(0, 3);
  return distinct.length === 0 ? found : { ...found, suggestions: distinct };
}

/** As the resolver of a pod with Kubernetes' resolv.conf asks (ndots:5): the names of its search path until one exists. */
function searched(asked: string, from: string, context: AskedContext): Explanation {
  const pod = podWith(from, context.registry);
  if (pod === undefined) {
    const note = `no pod with the address ${from} is known, so its search path is not known either`;
    return { ...named(asked, context), search: { from, note, steps: [] } };
  }
  const { namespace, zone } = pod;
  const domains = [`${namespace}.svc.${zone}`, `svc.${zone}`, zone];
  const dots = asked.split('.').length - 1;
  const relative = domains.map((domain) => `${asked}.${domain}`);
  const names = asked.endsWith('.') ? [asked] : dots >= NDOTS ? [`${asked}.`, ...relative] : [...relative, `${asked}.`];
  const steps: SearchStep[] = [];
  let last: Explanation | undefined;
  for (const name of names) {
    const found = tryExplain(name, context);
    if (found === undefined) continue;
    last = found;
    const outcome = outcomeOf(found);
    steps.push({ name: found.name, outcome });
    if (outcome !== 'NXDOMAIN') break;
  }
  const search = { from, note: `pod ${pod.pod} of the namespace ${namespace}`, steps };
  if (last === undefined) return { ...context.explain(asked), search };
  const isNowhere = isUnknown(last) && !isOutside(last);
  return { ...(isNowhere ? withSuggestions(last, asked, context) : last), search };
}

const NDOTS = 5;

function outcomeOf(found: Explanation): string {
  if (isOutside(found)) return found.summary.startsWith('SERVFAIL') ? 'SERVFAIL' : 'forwarded';
  if (found.answers.some(({ outcome }) => outcome === 'answered') || found.exists === 'redirected') return 'answered';
  return found.exists === 'delegated' ? 'referral' : found.otherwise;
}

/** Of the name where the chain of CNAMEs ends. */
async function withForwarding(
  found: Explanation,
  client: string | undefined,
  explainForwarding: NonNullable<AskedContext['forwarding']>,
): Promise<Explanation> {
  const { target } = found;
  if (target !== undefined) return { ...found, target: await withForwarding(target, client, explainForwarding) };
  const isForwarded = (isOutside(found) && !found.summary.startsWith('SERVFAIL')) || found.fallsThrough === true;
  const forwarding = await explainForwarding(found.name, client, isForwarded);
  if (forwarding.rules.length === 0 && !isForwarded) return found;
  const summary = isOutside(found) && isForwarded ? forwardingSummary(forwarding) : found.summary;
  return { ...found, summary, forwarding: { ...forwarding, isForwarded } };
}
