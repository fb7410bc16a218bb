// RunTask's clientToken, which SDKs set: the same request again, after a response was lost, starts no further tasks. Known to the
// replica that was asked, for the newest tokens.
import { AwsError } from '../../cloudmap/aws-error.ts';
import { fingerprintOf } from '../../cloudmap/operations/operations.ts';
import type { RunningTask } from '../model/running-task.ts';
import { type EcsApi, taskArn } from './ecs-api.ts';

interface Run {
  readonly fingerprint: string;
  readonly tasks: Promise<readonly RunningTask[]>;
}

const MAX_TOKENS = 1_000;
const runsOf = new WeakMap<EcsApi, Map<string, Run>>();

/**
 * The tasks of an earlier request with the token in the cluster, or those that `run` starts. If that fails, the token is free.
 * @throws AwsError ConflictException if that request was another one
 */
export async function runOnce(
  api: EcsApi,
  { cluster, clientToken, request }: { cluster: string; clientToken: string | undefined; request: object },
  run: () => Promise<readonly RunningTask[]>,
): Promise<readonly RunningTask[]> {
  if (clientToken === undefined) return run();
  const runs = runsOf.get(api) ?? new Map<string, Run>();
  runsOf.set(api, runs);
  const key = `${cluster}/${clientToken}`;
  const fingerprint = fingerprintOf(request);
  const known = runs.get(key);
  if (known !== undefined) {
    const tasks = await known.tasks;
    if (known.fingerprint === fingerprint) return tasks;
    throw new AwsError('ConflictException', 'The clientToken was used for a different RunTask request.', {
      resourceIds: tasks.map((task) => taskArn(api, task)),
    });
  }
  const tasks = run();
  runs.set(key, { fingerprint, tasks });
  for (const oldest of runs.keys()) if (runs.size > MAX_TOKENS) runs.delete(oldest);
  tasks.catch(() => runs.delete(key));
  return tasks;
}
