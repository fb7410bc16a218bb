// Which servers are asked for a name, and in which order.
import type { Clock } from '../../clock.ts';
import type { WireName } from '../../dns/name.ts';
import { isSubdomain, labelOffsets, parseName } from '../../dns/name.ts';
import type { RouteSettings, UpstreamSettings } from '../../plane/forward-settings.ts';
import type { RouteCounters } from '../../plane/forward-statistics.ts';
import { parseResolvConf, watchText } from '../upstream/resolv-conf.ts';
import { createUpstream, type Upstream, type UpstreamDeps, upstreamLabel } from '../upstream/upstream.ts';

export interface Route {
  readonly settings: RouteSettings;
  readonly counters: RouteCounters;
  readonly zone: WireName;
  upstreams(): readonly Upstream[];
  /** Those to ask, best first. Down ones only where all are; empty: none may be asked. */
  order(): readonly Upstream[];
  close(): void;
}

export interface RouteDeps extends UpstreamDeps {
  readonly clock: Clock;
  /** A new upstream is in use, by configuration or resolv.conf. */
  onUpstream(route: Route, upstream: Upstream): void;
  log(level: 'info' | 'warn', message: string): void;
}

export function createRoute(settings: RouteSettings, deps: RouteDeps): Route {
  const byLabel = new Map<string, Upstream>();
  const fromFiles = new Map<string, readonly UpstreamSettings[]>();
  let turn = 0;

  function replaceUpstreams(): void {
    const wanted = [...settings.upstreams, ...[...fromFiles.values()].flat()];
    const labels = new Set(wanted.map(upstreamLabel));
    for (const [label, upstream] of byLabel) {
      if (labels.has(label)) continue;
      byLabel.delete(label);
      upstream.close();
    }
    for (const one of wanted) {
      const label = upstreamLabel(one);
      if (byLabel.has(label)) continue;
      const upstream = createUpstream(one, settings, deps);
      byLabel.set(label, upstream);
      deps.onUpstream(route, upstream);
    }
    list = [...byLabel.values()];
  }

  /** Round robin starts one further each time, random anywhere; the others follow for when the first fails. */
  function arranged(upstreams: readonly Upstream[]): readonly Upstream[] {
    if (upstreams.length < 2 || settings.policy === 'sequential') return upstreams;
    const start = settings.policy === 'random' ? deps.unpredictable.below(upstreams.length) : turn++ % upstreams.length;
    return [...upstreams.slice(start), ...upstreams.slice(0, start)];
  }

  let list: readonly Upstream[] = [];
  const route: Route = {
    settings,
    counters: {
      zone: settings.zone,
      maxWaiting: settings.maxConcurrent ?? Number.POSITIVE_INFINITY,
      waiting: 0,
      rejected: 0,
    },
    zone: parseName(settings.zone),
    upstreams: () => list,
    order() {
      if (list.length === 1 && !list[0].counters.loops && !list[0].isDown()) return list;
      const usable = list.filter((upstream) => !upstream.counters.loops);
      const alive = usable.filter((upstream) => !upstream.isDown());
      if (alive.length > 0) return arranged(alive);
      return settings.failFast ? [] : arranged(usable);
    },
    close() {
      for (const watch of watches) watch.stop();
      for (const upstream of list) upstream.close();
    },
  };
  replaceUpstreams();
  const watches = settings.resolvConf.map((file) =>
    watchText(
      file,
      deps.clock,
      (message) => deps.log('warn', message),
      (text) => {
        const read = parseResolvConf(text);
        if (read.length === 0)
          return deps.log('warn', `${file} names no nameserver; those it named before stay in use`);
        fromFiles.set(file, read);
        deps.log('info', `${file}: forwarding ${settings.zone} to ${read.map(upstreamLabel).join(', ')}`);
        replaceUpstreams();
      },
    ),
  );
  return route;
}

/** Longest match; undefined: the name is not forwarded. */
export function createRouting(routes: readonly Route[]): (name: WireName) => Route | undefined {
  const byZone = new Map<string, Route>(routes.map((route) => [keyOf(route.zone), route]));
  const excepted = new Map(routes.map((route) => [route, route.settings.except.map((name) => parseName(name))]));
  const only = routes.length === 1 && routes[0].zone.length === 1 ? routes[0] : undefined;
  const takes = (route: Route, name: WireName) => !excepted.get(route)!.some((except) => isSubdomain(name, except));
  return (name) => {
    if (only !== undefined) return takes(only, name) ? only : undefined;
    for (const offset of [...labelOffsets(name), name.length - 1]) {
      const route = byZone.get(keyOf(name.subarray(offset)));
      if (route !== undefined && takes(route, name)) return route;
    }
    return undefined;
  };
}

function keyOf(name: WireName): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}
