// ECS with services as Deployments: every replica follows records and pods and answers the API, an elected one writes.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { ClusterAccess, EcsClusterConfig } from '../config/config.ts';
import { DeploymentWriter } from '../ecs/kubernetes/deployment-writer.ts';
import { KubernetesEngine } from '../ecs/kubernetes/kubernetes-engine.ts';
import { KubernetesState } from '../ecs/kubernetes/kubernetes-state.ts';
import { holdLease } from '../endpoints/lease.ts';
import { ecsService } from '../http/aws-api.ts';
import { connectApiServer } from '../sources/kubernetes/api/api-server.ts';
import { DEFAULT_TIMINGS } from '../sources/kubernetes/watch/timings.ts';
import { Watches } from '../sources/kubernetes/watch/watches.ts';
import { type Ecs, type EcsDependencies, followWeights, hasRegistry, ttlSeconds } from './ecs.ts';

const LEASE_NAME = 'healthdns-ecs';
/** Shorter than the lease's renew deadline. */
const HEADERS_MS = 5_000;

/** Returns at once: requests are answered with ServiceUnavailable until the cluster has been read. */
export function startEcsInCluster(
  config: EcsClusterConfig,
  cluster: ClusterAccess,
  dependencies: EcsDependencies,
): Ecs {
  const { cloudMap, board, clock, random, timings = DEFAULT_TIMINGS, leaseTimings } = dependencies;
  const { region, account } = cloudMap;
  const { namespace, drainSeconds } = config;
  const name = `ecs-api/${cluster.label}`;
  const log = dependencies.log.child({ source: name });
  const stopping = new AbortController();
  const { signal } = stopping;
  const server = connectApiServer(cluster, clock, HEADERS_MS);
  const state = new KubernetesState({ server, namespace, clock, random, signal });
  const engine = new KubernetesEngine({ state, server, namespace, clock, random, signal });
  const writer = new DeploymentWriter({
    ...{ state, engine, server, namespace, clock, log, signal },
    drainSeconds: ({ registries }) => drainSeconds ?? (registries.length === 0 ? 0 : ttlSeconds(cloudMap, registries)),
  });
  followWeights(state, dependencies);
  const report = board.add(name, []);
  const watches = new Watches({ config: cluster, clock, random, timings }, log, report);
  // Tasks are understood by the records that they were made from.
  const unread = new Set(['records', 'tasks', 'deployments']);
  const listed = (what: string) => () => {
    unread.delete(what);
    if (unread.size > 0) return;
    state.listed();
    writer.listed();
  };
  watches.add(state.kind(), {
    listed: once(() => {
      watches.add(engine.kind(), { listed: listed('tasks') });
      watches.add(writer.kind(), { listed: listed('deployments') });
      listed('records')();
    }),
  });
  watches.start();
  const lease = holdLease({
    ...{ server, clock, random, log, namespace, name: LEASE_NAME, identity: `${hostname()}_${randomUUID()}` },
    ...(leaseTimings && { timings: leaseTimings }),
    ...{ writes: 'Deployments of ECS services', onChange: writer.setActive },
  });
  return {
    service: ecsService({ state, engine, clock, region, account, hasRegistry: hasRegistry(cloudMap) }, false),
    endpoints: [],
    async stop() {
      await writer.stop();
      await lease.stop();
      stopping.abort();
      await watches.stop();
      await engine.close();
      server.close();
      report.remove();
    },
  };
}

function once(run: () => void): () => void {
  let hasRun = false;
  return () => {
    if (hasRun) return;
    hasRun = true;
    run();
  };
}
