// The answer of a name and its reason: owners that won it, lost it, or publish nothing there.
import { MAX_NAME_BYTES } from '../../dns/limits.ts';
import { formatName, isSubdomain, parentOf, parseName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { NameRecords } from '../../plane/records.ts';
import type { Registry } from '../../registry/registry.ts';
import { type Claim, mergeClaims } from '../publish/merge.ts';
import { titleOf } from '../publish/owner.ts';
import { CurrentNames, type Publication } from '../publish/publication.ts';
import { NO_NODE, type Node } from '../publish/tree.ts';
import { closestZone, type ZoneEntry } from '../publish/zone-table.ts';
import { answersOf, type NameAnswer, type Outcome, podAddressAnswer } from './answers.ts';
import { explainClaim, type OwnerExplanation, serviceAbove, silentServices } from './explain-owner.ts';

export interface NameExplanation extends NameAnswer {
  readonly name: string;
  /** Absolute name of the zone that the name is in; undefined: outside all of them. */
  readonly zone: string | undefined;
  /** Of the zone, as last sent to the data plane. */
  readonly ready: boolean;
  readonly stale: boolean;
  /** The zones whose sources fill the zone: itself, and for a reverse zone those that fill it. */
  readonly filledBy: readonly string[];
  readonly exists:
    | 'records'
    | 'empty-non-terminal'
    | 'wildcard'
    | 'pod-address'
    | 'delegated'
    | 'redirected'
    | 'absent';
  /** Of a pod address with `pods: verified`: the subjects of the pods that have it. */
  readonly pods?: readonly string[];
  /** The wildcard that answers for the name, or the zone cut or DNAME that it is below. */
  readonly wildcard?: string;
  readonly cut?: string;
  readonly dname?: string;
  /** The target of its CNAME, also of one that follows from a DNAME. */
  readonly alias?: string;
  /** With NXDOMAIN: the name is forwarded, if forwarding is configured. */
  readonly fallsThrough?: true;
  /** Of a name that does not exist: the service, if any, whose name it is below. */
  readonly below?: string;
  /** Owners that claim the name, the first in rank first; then services whose own name it is and that publish nothing there. */
  readonly owners: readonly OwnerExplanation[];
}

export interface ExplainContext {
  readonly publication: Publication;
  readonly table: ReadonlyMap<string, ZoneEntry>;
  readonly registry: Pick<Registry, 'service' | 'services'>;
  readonly isAnswered: (slot: number) => boolean;
  /** The subjects of the pods that have this name. */
  readonly podsNamed: (name: WireName) => readonly string[];
}

interface Asked {
  readonly context: ExplainContext;
  readonly entry: ZoneEntry;
  readonly name: WireName;
  readonly isReady: boolean;
  readonly claimsAt: (node: Node) => Claim[];
}

const NOTHING: NameAnswer & Pick<NameExplanation, 'ready' | 'stale' | 'filledBy' | 'exists' | 'owners'> = {
  rrsets: [],
  otherwise: 'NXDOMAIN',
  ready: false,
  stale: false,
  filledBy: [],
  exists: 'absent',
  owners: [],
};

export function explainName(context: ExplainContext, name: WireName): NameExplanation {
  const { publication, table } = context;
  const entry = closestZone(name, table);
  const found = { ...NOTHING, name: formatName(name), zone: entry?.config.name };
  if (entry === undefined) return found;
  const { ready: isReady, stale } = entry.sent ?? NOTHING;
  const claimsAt = claimsOf(publication);
  const asked: Asked = { context, entry, name, isReady, claimsAt };
  return { ...found, ready: isReady, stale, filledBy: [entry.config.name, ...entry.filledBy], ...explainIn(asked) };
}

/** The claims on a node, compiled once. */
function claimsOf(publication: Publication): (node: Node) => Claim[] {
  const current = new CurrentNames(publication);
  // Of a service of 10,000 instances, the names of each need not be compiled to explain its own.
  const ofParts = new CurrentNames(publication, 'shared');
  const known = new Map<Node, Claim[]>();
  return (node) => {
    const names = publication.isInParts(node) ? ofParts : current;
    const claims = known.get(node) ?? withJoinedParts(publication.claimsAt(node, names));
    known.set(node, claims);
    return claims;
  };
}

type Found = Omit<NameExplanation, 'name' | 'zone' | 'ready' | 'stale' | 'filledBy'>;

/** In the order of the data plane's search: server/table/lookup.ts. */
function explainIn(asked: Asked): Found {
  const { context, name, isReady } = asked;
  const { tree } = context.publication;
  const above = cutOrDnameAbove(asked);
  if (above?.type === TYPE.NS) {
    const cut = formatName(above.name);
    return { ...at(asked, tree.find(above.name)), exists: 'delegated', cut, rrsets: [], otherwise: 'NODATA' };
  }
  if (above !== undefined) return redirected(asked, above.name);
  const node = tree.find(name);
  // A node without content: its service has lost it to an earlier one, which publishes nothing.
  if (node !== NO_NODE && (asked.claimsAt(node).length > 0 || tree.childCount(node) > 0)) return at(asked, node);
  const pod = podAddress(asked);
  const wildcard = wildcardFor(asked);
  if (wildcard !== undefined && pod?.pods === undefined) {
    return { ...at(asked, tree.find(wildcard)), exists: 'wildcard', wildcard: formatName(wildcard) };
  }
  return pod ?? absent(asked, isReady ? 'NXDOMAIN' : 'SERVFAIL');
}

/** Owners that claim a name may publish nothing there any more, until the next pass. */
const merge = ({ name }: Asked, claims: readonly Claim[]): NameRecords =>
  claims.length > 0 ? mergeClaims(claims) : { name, rrsets: [] };

function at(asked: Asked, node: Node): Found {
  const { context, isReady, claimsAt } = asked;
  const claims = claimsAt(node);
  const merged = merge(asked, claims);
  const alias = merged.rrsets.find(({ type }) => type === TYPE.CNAME)?.records[0]?.rdata;
  return {
    exists: merged.rrsets.length > 0 ? 'records' : 'empty-non-terminal',
    ...answersOf(merged, context.isAnswered, isReady),
    ...(alias && { alias: formatName(alias) }),
    owners: [
      ...joinedStatic(claims.map((claim) => explainClaim(claim, claims, merged, context))),
      ...silentServices(asked, new Set(claims.map(({ owner }) => titleOf(owner)))),
    ],
  };
}

/** The parts of a service are one owner for people. */
function withJoinedParts(claims: readonly Claim[]): Claim[] {
  const services = new Map<string, Claim[]>();
  const joined: Claim[][] = [];
  for (const claim of claims) {
    const parts = claim.owner.isStatic ? undefined : services.get(titleOf(claim.owner));
    if (parts !== undefined) {
      parts.push(claim);
      continue;
    }
    joined.push([claim]);
    if (!claim.owner.isStatic) services.set(titleOf(claim.owner), joined.at(-1)!);
  }
  return joined.map((parts) => (parts.length === 1 ? parts[0] : joinedClaim(parts)));
}

function joinedClaim(parts: readonly Claim[]): Claim {
  const [first] = parts;
  const problems = new Set(parts.flatMap(({ owner }) => [...owner.problems]));
  return { owner: { ...first.owner, problems }, name: { ...first.name, records: mergeClaims(parts) } };
}

/** A zone's generated names and its static records are one owner for people. */
function joinedStatic(owners: readonly OwnerExplanation[]): OwnerExplanation[] {
  const [first, second, ...others] = owners;
  if (first === undefined || second?.owner !== first.owner) return [...owners];
  const types = [...first.types, ...second.types];
  return [{ ...first, types, answered: [...first.answered, ...second.answered] }, ...others];
}

function absent(asked: Asked, otherwise: Outcome): Found {
  const { entry, name } = asked;
  const falls = otherwise === 'NXDOMAIN' && entry.fallthrough.some((suffix) => isSubdomain(name, suffix));
  const below = serviceAbove(asked);
  return {
    exists: 'absent',
    rrsets: [],
    otherwise,
    ...(falls && { fallsThrough: true }),
    ...(below !== undefined && { below }),
    owners: silentServices(asked, new Set()),
  };
}

function podAddress(asked: Asked): Found | undefined {
  const { context, name, isReady, claimsAt } = asked;
  const parent = parentOf(name);
  const node = parent === undefined ? NO_NODE : context.publication.tree.find(parent);
  // A name in parts belongs to a large service, which would be compiled completely.
  if (node === NO_NODE || context.publication.isInParts(node)) return undefined;
  const claims = claimsAt(node);
  const merged = merge(asked, claims);
  const answer = podAddressAnswer(merged, name, isReady);
  if (answer === undefined) return undefined;
  const pods = merged.synthesizesPodAddresses?.isVerified ? context.podsNamed(name) : undefined;
  if (pods?.length === 0) return undefined;
  const owners = claims.map((claim) => explainClaim(claim, claims, merged, context));
  return { exists: 'pod-address', ...answer, ...(pods && { pods }), owners };
}

/** Below a DNAME (RFC 6672), regardless of other records published there. */
function redirected(asked: Asked, dname: WireName): Found {
  const found = at(asked, asked.context.publication.tree.find(dname));
  const target = merge(asked, asked.claimsAt(asked.context.publication.tree.find(dname))).rrsets.find(
    ({ type }) => type === TYPE.DNAME,
  )!.records[0].rdata;
  const alias = Uint8Array.from([...asked.name.subarray(0, asked.name.length - dname.length), ...target]);
  const tooLong = alias.length > MAX_NAME_BYTES;
  const { owners } = found;
  const redirection = {
    exists: 'redirected',
    dname: formatName(dname),
    rrsets: [],
    otherwise: 'NODATA',
    owners,
  } as const;
  return tooLong ? redirection : { ...redirection, alias: formatName(alias) };
}

/**
 * A zone cut (RFC 1034 section 4.3.2 step 3b) below the zone's apex, at or above the name, or a DNAME above it. Only static
 * records make one.
 */
function cutOrDnameAbove(asked: Asked): { readonly name: WireName; readonly type: number } | undefined {
  const { context, entry, name, claimsAt } = asked;
  const { tree, claims, owners } = context.publication;
  const path: WireName[] = [];
  for (let on: WireName | undefined = name; on && on.length >= entry.name.length; on = parentOf(on)) path.unshift(on);
  for (const each of path) {
    const node = tree.find(each);
    if (node === NO_NODE) return undefined;
    if (!claims.ownersOf(node).some((number) => owners.ofNumber(number).isStatic)) continue;
    const { rrsets } = merge(asked, claimsAt(node));
    const has = (type: number) => rrsets.some((rrset) => rrset.type === type);
    if (has(TYPE.NS) && each.length > entry.name.length) return { name: each, type: TYPE.NS };
    if (has(TYPE.DNAME) && each.length < name.length) return { name: each, type: TYPE.DNAME };
  }
  return undefined;
}

/** RFC 4592: the wildcard below the closest name that exists. */
function wildcardFor({ context, name, entry }: Asked): WireName | undefined {
  const { tree } = context.publication;
  for (let above = parentOf(name); above !== undefined && above.length >= entry.name.length; above = parentOf(above)) {
    if (tree.find(above) === NO_NODE) continue;
    const wildcard = parseName('*', above);
    return tree.find(wildcard) === NO_NODE ? undefined : wildcard;
  }
  return undefined;
}
