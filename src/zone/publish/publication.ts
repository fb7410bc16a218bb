// Who publishes what now: compiles the dirty owners, a bounded number of names a pass, and finds out what differs from what
// was sent.
import type { Random } from '../../clock.ts';
import type { WireName } from '../../dns/name.ts';
import type { Change } from '../../plane/records.ts';
import type { Registry } from '../../registry/registry.ts';
import { type CompiledService, compileService } from '../names/compile.ts';
import { createKeptEndpoints } from '../names/kept-endpoints.ts';
import { buildName, type NamePlan, NO_BASE } from '../names/plan.ts';
import { type Claims, createClaims, NUMBERS_PER_CLAIM } from './claims.ts';
import { createLedger, plansByNode } from './ledger.ts';
import { compareOwners, createOwners, NO_PROBLEMS, type Owner, type Owners } from './owner.ts';
import { createOwnership, type Ownership } from './ownership.ts';
import { createSettler, type RecordsOf, type Settler } from './settle.ts';
import { createNameTree, type NameTree, NO_NODE, type Node } from './tree.ts';
import type { ZoneEntry } from './zone-table.ts';

export interface PublicationSettings {
  readonly registry: Pick<Registry, 'service'>;
  readonly random: Random;
  readonly keptFrom?: number;
  readonly isAnswered: (slot: number) => boolean;
  readonly zone: (name: string) => ZoneEntry | undefined;
  /** Another owner must be compiled again. */
  readonly contested: (key: string) => void;
  /** Something of an owner is left out; told once for each text. */
  readonly leftOut: (owner: string, problem: string) => void;
}

export interface Publication {
  readonly tree: NameTree;
  readonly owners: Owners;
  readonly claims: Claims;
  readonly ownership: Ownership;
  readonly settler: Settler;
  /** Apexes of the zones that are served. */
  readonly apexes: Set<Node>;
  /** Takes owners from `keys` until `budget` names are compiled; settles those names and `touched`. */
  pass(keys: Set<string>, budget: number, touched: Set<Node>): { changes: Change[]; changedZones: Set<Node> };
  /** What an owner says now, compiled on demand and kept as long as the function that is returned: not beyond a pass. */
  recordsOnDemand(): RecordsOf;
  /** How many passes there have been. */
  passes(): number;
}

export function createPublication(settings: PublicationSettings): Publication {
  const { registry, zone } = settings;
  const tree = createNameTree(settings.random);
  const ownership = createOwnership();
  const owners = createOwners();
  const claims = createClaims();
  const apexes = new Set<Node>();
  let passes = 0;
  const keptEndpoints = createKeptEndpoints(settings.keptFrom);
  const settler = createSettler(tree, ownership, owners, apexes);
  const contested = (owner: Owner) => settings.contested(owner.key);
  const ledger = createLedger({ tree, ownership, owners, claims, contested, isSent: settler.isSent });

  function compile(owner: Owner): readonly NamePlan[] {
    if (owner.isStatic) return zone(owner.zone)?.plans ?? [];
    const state = registry.service(owner.key);
    const before = owner.problems;
    owner.problems = NO_PROBLEMS;
    if (state?.service === undefined) {
      keptEndpoints.forget(owner.key);
      return [];
    }
    const problems = new Set<string>();
    const leftOut = (problem: string) => {
      if (!before.has(problem) && !problems.has(problem)) settings.leftOut(owner.key, problem);
      problems.add(problem);
    };
    const entry = zone(state.service.zone);
    if (entry === undefined) leftOut(`it is published in the zone ${state.service.zone}, which is not served`);
    const compiled =
      entry &&
      compileService(
        state,
        { zone: entry.name, reverseZones: entry.reverseZones, isAnswered: settings.isAnswered, leftOut },
        keptEndpoints,
      );
    if (problems.size > 0) owner.problems = problems;
    return compiled === undefined ? [] : withoutLostNames(owner, compiled);
  }

  /** Whether an owner that comes before this one has the name. */
  function isLost(owner: Owner, name: WireName): boolean {
    const node = tree.find(name);
    if (node === NO_NODE) return false;
    return ownership.of(node).some((number) => {
      const other = owners.ofNumber(number);
      return other.competes && compareOwners(other, owner) < 0;
    });
  }

  /** Who lost a name publishes nothing below it, or it would be half of one service and half of another. */
  function withoutLostNames(owner: Owner, { bases, plans }: CompiledService): readonly NamePlan[] {
    const lost = bases.map((base) => owner.competes && isLost(owner, base));
    if (!lost.includes(true)) return plans;
    return plans.filter(({ base, isBase }) => isBase || base === NO_BASE || !lost[base]);
  }

  /** The owner of a key, dropped from all its names first where its rank among owners has changed. */
  function ownerOf(key: string, touched: Set<Node>): Owner | undefined {
    const known = owners.ofKey(key);
    const service = registry.service(key)?.service;
    if (known?.isStatic || service === undefined) return known;
    const owner = owners.ensureService(service);
    if (known !== undefined && known !== owner) {
      // As what it was, so that those hear of it who lost names to what it was.
      ledger.replaceClaims(known, [], touched);
    }
    return owner;
  }

  /** `compiled` and `fresh`: what is compiled already, all and only what is new, by the owner's number. */
  function recordsOnDemand(
    compiled = new Map<number, readonly NamePlan[]>(),
    fresh = new Map<number, ReadonlyMap<Node, NamePlan>>(),
  ): RecordsOf {
    const indexed = new Map<number, (node: Node) => NamePlan | undefined>();
    return (owner, node) => {
      const newPlan = fresh.get(owner.number)?.get(node);
      if (newPlan !== undefined) return buildName(newPlan);
      let planAt = indexed.get(owner.number);
      if (planAt === undefined) {
        planAt = plansByNode(owner, claims, compiled.get(owner.number) ?? compile(owner), tree);
        indexed.set(owner.number, planAt);
      }
      const plan = planAt(node);
      return plan && buildName(plan);
    };
  }

  return {
    tree,
    owners,
    claims,
    ownership,
    settler,
    apexes,
    pass(keys, budget, touched) {
      passes++;
      const compiled = new Map<number, readonly NamePlan[]>();
      const fresh = new Map<number, ReadonlyMap<Node, NamePlan>>();
      const idle: Owner[] = [];
      let left = budget;
      for (const key of keys) {
        if (left <= 0) break;
        keys.delete(key);
        const owner = ownerOf(key, touched);
        if (owner === undefined) continue;
        left -= 1 + claims.of(owner).length / NUMBERS_PER_CLAIM;
        const plans = compile(owner);
        fresh.set(owner.number, ledger.replaceClaims(owner, plans, touched));
        compiled.set(owner.number, plans);
        left -= plans.length;
        if (plans.length === 0) idle.push(owner);
      }
      const changedZones = new Set<Node>();
      const changes = settler.settle(touched, recordsOnDemand(compiled, fresh), changedZones);
      for (const owner of idle) if (owner.problems.size === 0) owners.forget(owner);
      return { changes, changedZones };
    },
    recordsOnDemand: () => recordsOnDemand(),
    passes: () => passes,
  };
}
