// Names of clusters, and of the sources that read them, in logs, metrics and /ready.
import { basename } from 'node:path';

export interface ClusterNames {
  /** The context, or "in-cluster"; with a number if different clusters would have the same label. */
  label(kubeconfig: string | undefined, context: string | undefined): string;
  /** `wanted`; if a source already has that name, with the zone ("kc/clusterset.local"), then with a number. */
  source(wanted: string, zone?: string): string;
}

export function createClusterNames(): ClusterNames {
  const clusters = new Map<string, string>();
  const sources = new Set<string>();
  return {
    label(kubeconfig, context) {
      const wanted = context ?? (kubeconfig === undefined ? 'in-cluster' : basename(kubeconfig));
      const cluster = `${kubeconfig ?? ''}\0${context ?? ''}`;
      const label = firstFree(wanted, (one) => clusters.has(one) && clusters.get(one) !== cluster);
      clusters.set(label, cluster);
      return label;
    },
    source(wanted, zone) {
      const isTaken = (one: string) => sources.has(one);
      const withZone = zone === undefined ? wanted : `${wanted}/${zone.replace(/\.$/, '')}`;
      const name = isTaken(wanted) ? firstFree(withZone, isTaken) : wanted;
      sources.add(name);
      return name;
    },
  };
}

function firstFree(wanted: string, isTaken: (name: string) => boolean): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}-${n}`;
    if (!isTaken(name)) return name;
  }
}
