// Names that DNS namespaces may have. A namespace becomes a zone, so a free choice of names would let clients of the API answer
// for names that belong to others, such as com or default.svc.cluster.local.
import { parse } from 'tldts';
import { canonicalName } from './records.ts';

export interface NamespaceNames {
  /** Suffixes from the configuration; undefined: any name that is no public suffix and overlaps no configured zone. */
  readonly allowed: readonly string[] | undefined;
  /** Names of the configured zones. */
  readonly zones: () => readonly string[];
}

/** The reason why a DNS namespace must not have this name; undefined: it may. */
export function namespaceNameProblem(name: string, { allowed, zones }: NamespaceNames): string | undefined {
  const wanted = canonicalName(name);
  if (allowed !== undefined) {
    if (allowed.some((suffix) => isBelow(wanted, canonicalName(suffix)))) return undefined;
    return `${wanted} is not below one of cloudMap.namespaces: ${allowed.join(', ') || 'the list is empty'}`;
  }
  if (isPublicSuffix(wanted)) return `${wanted} is a public suffix; to allow it, list it in cloudMap.namespaces`;
  const zone = zones().find((one) => isBelow(wanted, canonicalName(one)) || isBelow(canonicalName(one), wanted));
  if (zone === undefined) return undefined;
  return `${wanted} overlaps the configured zone ${zone}; to allow it, list it in cloudMap.namespaces`;
}

/** `name` is `suffix` or a name below it. */
const isBelow = (name: string, suffix: string): boolean =>
  suffix === '' || name === suffix || name.endsWith(`.${suffix}`);

/** ICANN's part of the Public Suffix List. A single label that is not in it, such as internal, is private. */
function isPublicSuffix(name: string): boolean {
  const below = `x.${name}`;
  const { publicSuffix, isIcann } = parse(below, { validateHostname: false });
  return isIcann === true && (publicSuffix === name || publicSuffix === below);
}
