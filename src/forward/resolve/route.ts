// The servers that are asked for the names of one zone, and in which order.
import type { Clock } from '../../clock.ts';
import type { WireName } from '../../dns/name.ts';
import { isSubdomain, labelOffsets, parseName } from '../../dns/name.ts';
import type { RouteSettings, UpstreamSettings } from '../../plane/forward-settings.ts';
import type { RouteCounters } from '../../plane/forward-statistics.ts';
import { type FileWatch, parseResolvConf, watchText } from '../upstream/resolv-conf.ts';
import { Upstream, type UpstreamDeps, upstreamLabel } from '../upstream/upstream.ts';

export interface RouteDeps extends UpstreamDeps {
  readonly clock: Clock;
  /** A new upstream is in use, by configuration or resolv.conf. */
  onUpstream(route: Route, upstream: Upstream): void;
  log(level: 'info' | 'warn', message: string): void;
}

export class Route {
  readonly settings: RouteSettings;
  readonly counters: RouteCounters;
  readonly zone: WireName;
  private readonly deps: RouteDeps;
  private readonly fromFiles = new Map<string, readonly UpstreamSettings[]>();
  private readonly watches: readonly FileWatch[];
  private list: readonly Upstream[] = [];
  private turn = 0;

  constructor(settings: RouteSettings, deps: RouteDeps) {
    this.settings = settings;
    this.deps = deps;
    this.zone = parseName(settings.zone);
    const maxWaiting = settings.maxConcurrent ?? Number.POSITIVE_INFINITY;
    this.counters = { zone: settings.zone, maxWaiting, waiting: 0, rejected: 0, broken: 0 };
    this.replaceUpstreams();
    const warn = (message: string) => deps.log('warn', message);
    this.watches = settings.resolvConf.map((file) =>
      watchText(file, deps.clock, warn, (text) => this.useNameservers(file, parseResolvConf(text))),
    );
  }

  /** Every file has been read, or could not be, for the first time. */
  get loaded(): Promise<unknown> {
    return Promise.all(this.watches.map(({ firstLook }) => firstLook));
  }

  upstreams(): readonly Upstream[] {
    return this.list;
  }

  /** Those to ask, best first. Down ones only if all are; empty: none may be asked. */
  order(): readonly Upstream[] {
    const { list } = this;
    if (list.length === 1 && !list[0].counters.loops && !list[0].isDown()) return list;
    const usable = list.filter((upstream) => !upstream.counters.loops);
    const alive = usable.filter((upstream) => !upstream.isDown());
    if (alive.length > 0) return this.arranged(alive);
    if (usable.length > 0) this.counters.broken++;
    return this.settings.failFast ? [] : this.arranged(usable);
  }

  close(): void {
    for (const watch of this.watches) watch.stop();
    for (const upstream of this.list) upstream.close();
  }

  private useNameservers(file: string, nameservers: readonly UpstreamSettings[]): void {
    const { log } = this.deps;
    if (nameservers.length === 0) {
      log('warn', `${file} has no nameserver line; the previous nameservers stay in use`);
      return;
    }
    this.fromFiles.set(file, nameservers);
    log('info', `${file}: forwarding ${this.settings.zone} to ${nameservers.map(upstreamLabel).join(', ')}`);
    this.replaceUpstreams();
  }

  /** Remaining servers keep their state and their sockets. */
  private replaceUpstreams(): void {
    const wanted = new Map(
      [...this.settings.upstreams, ...[...this.fromFiles.values()].flat()].map((one) => [upstreamLabel(one), one]),
    );
    const before = new Map(this.list.map((upstream) => [upstream.label, upstream]));
    for (const [label, upstream] of before) if (!wanted.has(label)) upstream.close();
    const created: Upstream[] = [];
    this.list = [...wanted].map(([label, one]) => {
      const kept = before.get(label);
      if (kept !== undefined) return kept;
      const upstream = new Upstream(one, this.settings, this.deps);
      created.push(upstream);
      return upstream;
    });
    for (const upstream of created) this.deps.onUpstream(this, upstream);
  }

  /** Round robin starts one further each time, random anywhere; the others follow in case the first fails. */
  private arranged(upstreams: readonly Upstream[]): readonly Upstream[] {
    const { policy } = this.settings;
    if (upstreams.length < 2 || policy === 'sequential') return upstreams;
    const start =
      policy === 'random' ? this.deps.unpredictable.below(upstreams.length) : this.turn++ % upstreams.length;
    return [...upstreams.slice(start), ...upstreams.slice(0, start)];
  }
}

export interface Routing {
  /** The route of the longest matching zone, of several the first; undefined: the name is not forwarded. */
  routeOf(name: WireName): Route | undefined;
  /** The next route of the same zone. */
  routeAfter(route: Route, name: WireName): Route | undefined;
}

export function createRouting(routes: readonly Route[]): Routing {
  const byZone = new Map<string, Route[]>();
  for (const route of routes) byZone.set(keyOf(route.zone), [...(byZone.get(keyOf(route.zone)) ?? []), route]);
  const excepted = new Map(routes.map((route) => [route, route.settings.except.map((name) => parseName(name))]));
  const only = routes.length === 1 && routes[0].zone.length === 1 ? routes[0] : undefined;
  const takes = (route: Route, name: WireName) => !excepted.get(route)!.some((except) => isSubdomain(name, except));
  return {
    routeOf(name) {
      if (only !== undefined) return takes(only, name) ? only : undefined;
      for (const offset of [...labelOffsets(name), name.length - 1]) {
        const route = byZone.get(keyOf(name.subarray(offset)))?.find((one) => takes(one, name));
        if (route !== undefined) return route;
      }
      return undefined;
    },
    routeAfter(route, name) {
      const same = byZone.get(keyOf(route.zone)) ?? [];
      return same.slice(same.indexOf(route) + 1).find((one) => takes(one, name));
    },
  };
}

function keyOf(name: WireName): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}
