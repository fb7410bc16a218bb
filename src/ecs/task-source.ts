// Follows the pods of one cluster that are ECS tasks, and its Nodes for their location.

import type { Clock, Random, Timer } from '../clock.ts';
import type { TaskCluster } from '../config/config.ts';
import type { Logger } from '../log.ts';
import type { Instance } from '../registry/model.ts';
import { TASK_NODE, TASK_POD } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { type Fields, type Metadata, optionalFields, optionalText } from '../sources/kubernetes/api/objects.ts';
import { nodeFacts } from '../sources/kubernetes/kinds/nodes.ts';
import type { WatchTimings } from '../sources/kubernetes/watch/timings.ts';
import type { WatchedKind } from '../sources/kubernetes/watch/watched-kind.ts';
import { Watches } from '../sources/kubernetes/watch/watches.ts';
import type { StatusBoard } from '../sources/status.ts';
import { ECS_SERVICE, ECS_TASK, KECS_SERVICE, KECS_TASK_SET, translateTask } from './task.ts';
import type { TaskBook } from './task-book.ts';
import { judgeTask, NOTHING_SEEN, type Seen } from './task-health.ts';
import type { Place, TaskStatement } from './task-instance.ts';

export interface TaskSourceSettings {
  readonly config: TaskCluster;
  readonly book: TaskBook;
  readonly registry: Pick<Registry, 'replaceFacts'>;
  readonly status: StatusBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Shorter ones for tests. */
  readonly timings?: WatchTimings;
}

/** Labels of tasks. Selectors have no "or", so there are four watches, and no pod matches two. */
const SELECTORS = [
  { title: 'pods of KECS', selector: KECS_SERVICE },
  { title: 'pods of KECS task sets', selector: `${KECS_TASK_SET},!${KECS_SERVICE}` },
  { title: 'pods of ECS services', selector: `${ECS_SERVICE},!${KECS_SERVICE},!${KECS_TASK_SET}` },
  { title: 'pods of ECS tasks', selector: `${ECS_TASK},!${ECS_SERVICE},!${KECS_SERVICE},!${KECS_TASK_SET}` },
];

/** Never throws: retries an unreachable cluster for ever. Published tasks stay after `stop`. */
export function startTaskSource(settings: TaskSourceSettings): { stop(): Promise<void> } {
  const { config, status } = settings;
  const { name } = config;
  const log = settings.log.child({ source: name });
  const report = status.add(name, []);
  const watches = new Watches(settings, log, report);
  const pods = createPods(settings);
  watches.add(nodesKind(settings, pods.replacePlace));
  for (const { title, selector } of SELECTORS) {
    const namespaces = config.namespaces.length === 0 ? [undefined] : config.namespaces;
    for (const namespace of namespaces) watches.add(podsKind(settings, { title, selector, namespace }, pods));
  }
  watches.start();
  return {
    async stop() {
      pods.stop();
      await watches.stop();
      report.remove();
    },
  };
}

function podsKind(
  { config }: TaskSourceSettings,
  { title, selector, namespace }: { title: string; selector: string; namespace: string | undefined },
  pods: Pods,
): WatchedKind {
  return {
    resource: 'pods',
    title,
    apiGroup: '',
    groupVersionPath: '/api/v1',
    namespace,
    labelSelector: selector,
    essential: true,
    keyOf: (objectNamespace, name) => `ecs/${config.label}/${title}/${objectNamespace}/${name}`,
    replace: pods.replace,
    remove: pods.remove,
  };
}

/** Zones and health: tasks of a node that is not ready are unhealthy. */
function nodesKind(
  { config, registry }: TaskSourceSettings,
  replacePlace: (node: string, place: Place | undefined) => void,
): WatchedKind {
  return {
    resource: 'nodes',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    essential: false,
    keyOf: (_namespace, name) => TASK_NODE.format(config.label, name),
    replace(key, metadata, object) {
      registry.replaceFacts(key, 'node', nodeFacts(metadata.name, object));
      replacePlace(metadata.name, placeOf(metadata, object));
      return undefined;
    },
    remove(key) {
      registry.replaceFacts(key, 'node', []);
      replacePlace(TASK_NODE.parse(key)!.name, undefined);
    },
    abandon(keys) {
      for (const key of keys) registry.replaceFacts(key, 'node', []);
    },
  };
}

/** The pod of an instance that is a task of the cluster with this label. */
export function podOfTask(label: string, { subjects }: Pick<Instance, 'subjects'>) {
  return subjects.map((subject) => TASK_POD.parse(subject)).find((pod) => pod?.cluster === label);
}

/** https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone */
function placeOf({ labels }: Metadata, node: Fields): Place {
  const label = (key: string) => optionalText(labels[key], `label ${key}`);
  const provider = optionalText(optionalFields(node.spec, 'spec').providerID, 'spec.providerID');
  const zone = label('topology.kubernetes.io/zone');
  const region = label('topology.kubernetes.io/region');
  const ec2InstanceId = /^aws:\/\/\/.*\/(i-[0-9a-f]+)$/.exec(provider ?? '')?.[1];
  return { ...(zone && { zone }), ...(region && { region }), ...(ec2InstanceId && { ec2InstanceId }) };
}

interface Pods {
  replace: WatchedKind['replace'];
  remove(key: string): void;
  replacePlace(node: string, place: Place | undefined): void;
  stop(): void;
}

interface Pod {
  statement: TaskStatement;
  seen: Seen;
  review: Timer | undefined;
}

function createPods({ config, book, clock }: TaskSourceSettings): Pods {
  const places = new Map<string, Place>();
  const pods = new Map<string, Pod>();

  function forget(key: string): void {
    pods.get(key)?.review?.cancel();
    pods.delete(key);
    book.replace(key, undefined);
  }

  const replace: WatchedKind['replace'] = (key, metadata, object) => {
    const translated = translateTask(metadata, object);
    if (translated === undefined) {
      forget(key);
      return undefined;
    }
    const before = pods.get(key);
    const nowMs = clock.now();
    const { fact, seen, reviewMs } = judgeTask(metadata, object, before?.seen ?? NOTHING_SEEN, nowMs);
    const { task, problem } = translated;
    before?.review?.cancel();
    const review =
      reviewMs === undefined
        ? undefined
        : clock.setTimeout(() => void replace(key, metadata, object), reviewMs - nowMs);
    const statement: TaskStatement = {
      task,
      health: fact,
      place: places.get(task.nodeName ?? '') ?? NO_PLACE,
      subjects: [
        TASK_POD.format(config.label, task.namespace, task.name),
        ...(task.nodeName === undefined ? [] : [TASK_NODE.format(config.label, task.nodeName)]),
      ],
    };
    pods.set(key, { statement, seen, review });
    book.replace(key, statement);
    return problem;
  };

  return {
    replace,
    remove: forget,
    replacePlace(node, place = NO_PLACE) {
      if (samePlace(places.get(node) ?? NO_PLACE, place)) return;
      places.set(node, place);
      for (const [key, pod] of pods) {
        if (pod.statement.task.nodeName !== node) continue;
        pod.statement = { ...pod.statement, place };
        book.replace(key, pod.statement);
      }
    },
    stop() {
      for (const { review } of pods.values()) review?.cancel();
    },
  };
}

const NO_PLACE: Place = {};
const samePlace = (one: Place, other: Place) =>
  one.zone === other.zone && one.region === other.region && one.ec2InstanceId === other.ec2InstanceId;
