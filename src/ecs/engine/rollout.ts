// Updates of a service's record as its tasks change: events, the end of a deployment, the circuit breaker. Pure, and
// the same for every engine.
import type { DeploymentRecord, EcsServiceRecord, TaskDefinitionRecord } from '../model/ecs-records.ts';
import type { RunningTask } from '../model/running-task.ts';

/** Passed in: the time, and ids of events. */
export interface RolloutContext {
  readonly nowMs: number;
  readonly newId: () => string;
}

const MAX_EVENTS = 100;

/** The service with one more event, as DescribeServices shows it. */
export function withEvent(service: EcsServiceRecord, message: string, context: RolloutContext): EcsServiceRecord {
  const event = {
    id: context.newId(),
    createdMs: context.nowMs,
    message: `(service ${service.name}) ${message}`,
  };
  return { ...service, events: [event, ...service.events].slice(0, MAX_EVENTS) };
}

/** A deployment is complete when all its tasks are good and no others are left. undefined: it is not, or was already. */
export function withCompletion(
  service: EcsServiceRecord,
  fresh: readonly RunningTask[],
  others: number,
  context: RolloutContext,
  good: (task: RunningTask) => boolean = isGood,
): EcsServiceRecord | undefined {
  const [primary] = service.deployments;
  const isWhole = fresh.length === service.desiredCount && fresh.every(good) && others === 0;
  if (primary === undefined || !isWhole) return undefined;
  if (primary.rolloutState === 'COMPLETED' && service.deployments.length === 1) return undefined;
  if (primary.rolloutState === 'FAILED' && service.deployments.length === 1) return undefined;
  const completed: DeploymentRecord = {
    ...primary,
    rolloutState: primary.rolloutState === 'FAILED' ? 'FAILED' : 'COMPLETED',
    rolloutReason: `ECS deployment ${primary.id} completed.`,
    updatedMs: context.nowMs,
  };
  return withEvent({ ...service, deployments: [completed] }, 'has reached a steady state.', context);
}

/** A deleted service without tasks. */
export const asInactive = (service: EcsServiceRecord, { nowMs }: RolloutContext): EcsServiceRecord => ({
  ...service,
  ...{ status: 'INACTIVE', desiredCount: 0, deployments: [], inactiveMs: nowMs },
});

/** ECS's threshold of the circuit breaker: half the desired count, at least 3 and at most 200 failed tasks. */
const threshold = ({ desiredCount }: EcsServiceRecord): number =>
  Math.min(200, Math.max(3, Math.ceil(desiredCount / 2)));

/** The primary deployment has so many failed tasks; at the threshold the circuit breaker ends it, and may roll back. */
export function withFailures(
  service: EcsServiceRecord,
  failedTasks: number,
  context: RolloutContext,
): { readonly service: EcsServiceRecord; readonly isBroken: boolean } {
  const [primary, ...others] = service.deployments;
  if (primary === undefined || primary.rolloutState !== 'IN_PROGRESS') return { service, isBroken: false };
  const updatedMs = context.nowMs;
  const failed: DeploymentRecord = { ...primary, failedTasks, updatedMs };
  const { enable, rollback } = service.rules.circuitBreaker;
  if (!enable || failedTasks < threshold(service))
    return { service: { ...service, deployments: [failed, ...others] }, isBroken: false };
  const reason = 'ECS deployment circuit breaker: tasks failed to start.';
  const broken: DeploymentRecord = { ...failed, rolloutState: 'FAILED', rolloutReason: reason };
  const previous = others.find(({ rolloutState }) => rolloutState === 'COMPLETED');
  const isRolledBack = rollback && previous !== undefined;
  const deployments = isRolledBack ? [{ ...previous, updatedMs }, broken] : [broken, ...others];
  const ended = withEvent(
    { ...service, deployments },
    `(deployment ${primary.id}) deployment failed: tasks failed to start.`,
    context,
  );
  return {
    service: isRolledBack ? withEvent(ended, `rolling back to (deployment ${previous.id}).`, context) : ended,
    isBroken: true,
  };
}

/** The tasks that must be good, and those that may run, at any time of a deployment. */
export function limitsOf({ desiredCount, rules }: EcsServiceRecord): {
  readonly minimum: number;
  readonly maximum: number;
} {
  return {
    minimum: Math.ceil((desiredCount * rules.minimumHealthyPercent) / 100),
    maximum: Math.max(1, Math.floor((desiredCount * rules.maximumPercent) / 100)),
  };
}

/** Whether the health of the task's containers decides: an essential one has a check. */
export const hasCheck = ({ containerDefinitions }: TaskDefinitionRecord['definition']): boolean =>
  containerDefinitions.some(
    ({ essential, healthCheck }) => essential && healthCheck !== undefined && healthCheck.command[0] !== 'NONE',
  );

/** Running, and healthy where it has a health check. */
export const isGood = ({ status, health, request }: RunningTask): boolean =>
  status === 'RUNNING' && (health === 'HEALTHY' || !hasCheck(request.definition));
