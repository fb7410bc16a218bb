// Who publishes what now: compiles the dirty owners, a bounded number of names a pass, and finds out what differs from what
// was sent.
import type { Random } from '../clock.ts';
import { isSubdomain, type WireName } from '../dns/name.ts';
import type { Change, NameRecords } from '../plane/records.ts';
import type { Registry } from '../registry/registry.ts';
import { type CompiledService, compileService } from './compile.ts';
import { createLedger, NUMBERS_PER_CLAIM } from './ledger.ts';
import { compareOwners, createOwners, NO_PROBLEMS, type Owner, type Owners } from './owner.ts';
import { createOwnership, type Ownership } from './ownership.ts';
import { createSettler, type RecordsOf, type Settler } from './settle.ts';
import { createNameTree, type NameTree, NO_NODE, type Node } from './tree.ts';
import type { ZoneEntry } from './zone-table.ts';

export interface PublicationSettings {
  readonly registry: Pick<Registry, 'service'>;
  readonly random: Random;
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
  readonly ownership: Ownership;
  readonly settler: Settler;
  /** Apexes of the zones that are served. */
  readonly apexes: Set<Node>;
  /** Takes owners from `keys` until `budget` names are compiled; settles those names and `touched`. */
  pass(keys: Set<string>, budget: number, touched: Set<Node>): { changes: Change[]; changedZones: Set<Node> };
  /** What an owner says now, compiled on demand and kept as long as the function that is returned. */
  recordsOnDemand(compiled?: Map<number, ReadonlyMap<Node, NameRecords>>): RecordsOf;
}

export function createPublication(settings: PublicationSettings): Publication {
  const { registry, zone } = settings;
  const tree = createNameTree(settings.random);
  const ownership = createOwnership();
  const owners = createOwners();
  const apexes = new Set<Node>();
  const ledger = createLedger(tree, ownership, owners, (owner) => settings.contested(owner.key));
  const settler = createSettler(tree, ownership, owners, apexes);

  function compile(owner: Owner): readonly NameRecords[] {
    if (owner.isStatic) return zone(owner.zone)?.names ?? [];
    const state = registry.service(owner.key);
    const before = owner.problems;
    owner.problems = NO_PROBLEMS;
    if (state?.service === undefined) return [];
    const problems = new Set<string>();
    const leftOut = (problem: string) => {
      if (!before.has(problem) && !problems.has(problem)) settings.leftOut(owner.key, problem);
      problems.add(problem);
    };
    const entry = zone(state.service.zone);
    if (entry === undefined) leftOut(`it is published in the zone ${state.service.zone}, which is not served`);
    const compiled =
      entry &&
      compileService(state, {
        zone: entry.name,
        reverseZones: entry.reverseZones,
        isAnswered: settings.isAnswered,
        leftOut,
      });
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
  function withoutLostNames(owner: Owner, { bases, names }: CompiledService): readonly NameRecords[] {
    const lost = owner.competes ? bases.filter((base) => isLost(owner, base)) : [];
    if (lost.length === 0) return names;
    return names.filter(({ name }) => {
      const base = bases.filter((candidate) => isSubdomain(name, candidate)).sort((a, b) => b.length - a.length)[0];
      return base === undefined || base.length === name.length || !lost.includes(base);
    });
  }

  /** The owner of a key, dropped from all its names first where its rank among owners has changed. */
  function ownerOf(key: string, touched: Set<Node>): Owner | undefined {
    const known = owners.ofKey(key);
    const service = registry.service(key)?.service;
    if (known?.isStatic || service === undefined) return known;
    const owner = owners.ensureService(service);
    if (known !== undefined && known !== owner) ledger.replaceClaims(owner, [], touched);
    return owner;
  }

  function recordsOnDemand(compiled = new Map<number, ReadonlyMap<Node, NameRecords>>()): RecordsOf {
    return (owner, node) => {
      let records = compiled.get(owner.number);
      if (records === undefined) {
        records = new Map(compile(owner).map((name) => [tree.find(name.name), name]));
        compiled.set(owner.number, records);
      }
      return records.get(node);
    };
  }

  return {
    tree,
    owners,
    ownership,
    settler,
    apexes,
    pass(keys, budget, touched) {
      const compiled = new Map<number, ReadonlyMap<Node, NameRecords>>();
      const idle: Owner[] = [];
      let left = budget;
      for (const key of keys) {
        if (left <= 0) break;
        keys.delete(key);
        const owner = ownerOf(key, touched);
        if (owner === undefined) continue;
        const before = owner.claims.length / NUMBERS_PER_CLAIM;
        const names = compile(owner);
        compiled.set(owner.number, ledger.replaceClaims(owner, names, touched));
        left -= 1 + Math.max(before, names.length);
        if (names.length === 0) idle.push(owner);
      }
      const changedZones = new Set<Node>();
      const changes = settler.settle(touched, recordsOnDemand(compiled), changedZones);
      for (const owner of idle) if (owner.problems.size === 0) owners.forget(owner);
      return { changes, changedZones };
    },
    recordsOnDemand,
  };
}
