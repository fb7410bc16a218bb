// The Kubernetes sources of a configuration: started, kept, or replaced on reload.
import type { Clock, Random } from '../clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../config/config.ts';
import type { Logger } from '../log.ts';
import type { Registry } from '../registry/registry.ts';
import type { StrayPod } from '../sources/kubernetes/kinds/pods.ts';
import type { Source } from '../sources/kubernetes/source.ts';
import type { StatusBoard } from '../sources/status.ts';

export interface KubernetesSources {
  /** Starts new sources, and withdraws removed ones once their replacements have synced. */
  replace(zones: readonly ZoneConfig[]): Promise<void>;
  /** Pods that no service contains, of all clusters. */
  strayPods(): Iterable<StrayPod>;
  /**
   * Sets an annotation of a pod; undefined removes it. Resolves to false if no source follows that cluster. Throws
   * AnnotationRefused.
   */
  annotate(
    pod: { readonly cluster: string; readonly namespace: string; readonly name: string },
    annotation: { readonly name: string; readonly value: string | undefined },
  ): Promise<boolean>;
  stop(): Promise<void>;
}

export interface KubernetesSourcesSettings {
  readonly registry: Registry;
  readonly board: StatusBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** See Cluster. */
  readonly changed: (service: string, atMs: number) => void;
}

interface RunningSource {
  /** All settings of the source. */
  readonly identity: string;
  readonly zone: string;
  readonly config: KubernetesConfig;
  readonly source: Source;
}

export function createKubernetesSources(settings: KubernetesSourcesSettings): KubernetesSources {
  const { registry, board, clock, random, log, changed } = settings;
  let running: RunningSource[] = [];
  /** Stopped, but their objects are still served. */
  let retired: RunningSource[] = [];

  async function start(zone: ZoneConfig, config: KubernetesConfig, identity: string): Promise<RunningSource> {
    const { startKubernetesSource } = await import('../sources/kubernetes/source.ts');
    const source = startKubernetesSource({ config, zone, registry, status: board, clock, random, log, changed });
    return { identity, zone: zone.name, config, source };
  }

  /** Old data is better than none: a zone keeps the objects of a former source until all current ones have synced. */
  function withdrawRetired(): void {
    const present = running.map(({ source }) => source);
    const due = retired.filter(({ zone }) => board.zone(zone).ready);
    retired = retired.filter((one) => !due.includes(one));
    for (const { source } of due) source.withdraw(present);
  }
  board.onChange(() => {
    if (retired.length > 0) setImmediate(withdrawRetired);
  });

  return {
    async replace(zones) {
      const wanted = zones.flatMap((zone) =>
        zone.kubernetes.map((config) => ({ zone, config, identity: identify(zone, config) })),
      );
      const isWanted = (one: RunningSource) => wanted.some(({ identity }) => identity === one.identity);
      const leaving = running.filter((one) => !isWanted(one));
      running = running.filter(isWanted);
      await Promise.all(leaving.map(({ source }) => source.stop()));
      for (const { zone, config, identity } of wanted) {
        if (!running.some((one) => one.identity === identity)) running.push(await start(zone, config, identity));
      }
      retired.push(...leaving);
      withdrawRetired();
    },
    strayPods: () => running.flatMap(({ source }) => [...source.strayPods()]),
    async annotate(pod, annotation) {
      const cluster = running.find(({ config }) => config.label === pod.cluster);
      if (cluster === undefined) return false;
      const { annotatePod } = await import('../sources/kubernetes/annotate-pod.ts');
      await annotatePod(cluster.config, pod, annotation, clock);
      return true;
    },
    async stop() {
      await Promise.all(running.map(({ source }) => source.stop()));
      running = [];
    },
  };
}

/** The settings of the zone that a source uses: names, TTL and policy of services. */
function identify(zone: ZoneConfig, config: KubernetesConfig): string {
  const { records: _records, services: _services, kubernetes: _kubernetes, soa: _soa, ...shared } = zone;
  return JSON.stringify([shared, config]);
}
