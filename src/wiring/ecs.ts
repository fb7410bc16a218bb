// The inputs and outputs that both engines of ECS share.
import type { Clock, Random } from '../clock.ts';
import type { Api } from '../cloudmap/api.ts';
import { idOf } from '../cloudmap/records.ts';
import type { Registry } from '../ecs/model/ecs-records.ts';
import type { EcsState } from '../ecs/model/ecs-state.ts';
import { weightOfTask } from '../ecs/operations/weights.ts';
import type { TaskBook } from '../ecs/task-book.ts';
import type { LeaseTimings } from '../endpoints/lease.ts';
import type { AwsService } from '../http/aws-api.ts';
import type { Endpoint } from '../http/endpoint.ts';
import type { Logger } from '../log.ts';
import type { WatchTimings } from '../sources/kubernetes/watch/timings.ts';
import type { StatusBoard } from '../sources/status.ts';

export interface EcsDependencies {
  readonly cloudMap: Api;
  readonly book: TaskBook;
  readonly board: StatusBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly concurrentChecks: number;
  /** Cloud Map has discarded what an earlier process registered; ECS does the same. */
  readonly isNewInMemory: boolean;
  /** Makes verdicts and names take effect. */
  readonly publishNow: () => void;
  /** Shorter ones for tests. */
  readonly timings?: WatchTimings | undefined;
  readonly leaseTimings?: LeaseTimings | undefined;
}

export interface Ecs {
  readonly service: AwsService;
  readonly endpoints: readonly Endpoint[];
  stop(): Promise<void>;
}

/** Weights of revisions take effect when their tags change. */
export function followWeights(state: EcsState, { book, publishNow }: EcsDependencies): void {
  book.setWeights((task) => weightOfTask(state, task));
  state.onChange(({ collection }) => {
    if (collection !== 'cluster' && book.weigh()) publishNow();
  });
}

const DEFAULT_TTL_SECONDS = 60;

/** The longest TTL of the Cloud Map services that a task is in: as long, clients may use its address. 0 if none exists. */
export function ttlSeconds({ state }: Api, registries: readonly Pick<Registry, 'registryArn'>[]): number {
  const ttls = registries.flatMap(({ registryArn }) => {
    const service = state.services.get(idOf(registryArn));
    if (service === undefined) return [];
    return service.dnsConfig?.records.map((record) => record.ttlSeconds) ?? [DEFAULT_TTL_SECONDS];
  });
  return Math.max(0, ...ttls);
}

export const hasRegistry =
  ({ state }: Api) =>
  (registryArn: string): boolean =>
    state.services.has(idOf(registryArn));
