// Names that DNS namespaces may have. A namespace becomes a zone, so a free choice of names would let clients of the API answer
// for names that belong to others, such as com or default.svc.cluster.local.
import { parse } from 'tldts';
import { canonicalName } from './records.ts';

export interface NamespaceNames {
  /** Suffixes from the configuration; undefined: see problemByDefault. */
  readonly allowed: readonly string[] | undefined;
  /** Names of the configured zones. */
  readonly zones: () => readonly string[];
}

/** Names that resolvers answer themselves, or that only mean addresses (RFC 6761, RFC 7686, RFC 1035 section 3.5). */
const RESERVED = ['in-addr.arpa', 'ip6.arpa', 'localhost', 'invalid', 'onion'];
/** Reserved for private use, so the one label that AWS's examples use may be a namespace. */
const PRIVATE_TOP = 'internal';

/** The reason why a DNS namespace must not have this name; undefined: it may. */
export function namespaceNameProblem(name: string, { allowed, zones }: NamespaceNames): string | undefined {
  const wanted = canonicalName(name);
  const label = wanted === '' ? '.' : wanted;
  if (allowed !== undefined) {
    if (allowed.some((suffix) => isBelow(wanted, canonicalName(suffix)))) return undefined;
    return `${label} is not below one of cloudMap.namespaces: ${allowed.join(', ') || 'the list is empty'}`;
  }
  const problem = problemByDefault(wanted, zones());
  return problem && `${label} ${problem}; to allow it, list it in cloudMap.namespaces`;
}

function problemByDefault(wanted: string, zones: readonly string[]): string | undefined {
  if (wanted === '') return 'is the root of all names';
  const reserved = RESERVED.find((suffix) => isBelow(wanted, suffix));
  if (reserved !== undefined) return `is ${wanted === reserved ? '' : `below ${reserved}, `}a reserved name`;
  if (isPublicSuffix(wanted)) return 'is a public suffix';
  const zone = zones.find((one) => isBelow(wanted, canonicalName(one)) || isBelow(canonicalName(one), wanted));
  if (zone !== undefined) return `overlaps the configured zone ${zone}`;
  return wanted.includes('.') || wanted === PRIVATE_TOP ? undefined : 'has a single label, as a top-level domain';
}

/** `name` is `suffix` or a name below it. */
const isBelow = (name: string, suffix: string): boolean =>
  suffix === '' || name === suffix || name.endsWith(`.${suffix}`);

/** Of the Public Suffix List, ICANN's part (com) and the private one (github.io). */
function isPublicSuffix(name: string): boolean {
  const below = `x.${name}`;
  const { publicSuffix, isIcann, isPrivate } = parse(below, { validateHostname: false, allowPrivateDomains: true });
  return (isIcann === true || isPrivate === true) && (publicSuffix === name || publicSuffix === below);
}
