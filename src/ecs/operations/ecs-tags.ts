import * as v from 'valibot';
import { AwsError, type AwsErrorCode } from '../../cloudmap/aws-error.ts';
import type { Tags } from '../model/ecs-records.ts';
import type { EcsChange } from '../model/ecs-state.ts';
import type { RunningTask } from '../model/running-task.ts';
import { activeCluster, DEFAULT_CLUSTER, type EcsApi, nameOf, readInput, tagList, tags, tagsOf } from './ecs-api.ts';

const MAX_TAGS = 50;
const resourceArn = v.pipe(v.string(), v.minLength(1), v.maxLength(2048));

const tagInput = v.object({ resourceArn, tags });

export async function tagResource(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(tagInput, input);
  const given = tagsOf(request.tags);
  return changeTags(api, request.resourceArn, (before) => {
    const kept = Object.entries(before).filter(([key]) => !Object.hasOwn(given, key));
    const merged = { ...Object.fromEntries(kept), ...given };
    if (Object.keys(merged).length > MAX_TAGS)
      throw new AwsError('ClientException', `a resource has at most ${MAX_TAGS} tags`);
    return merged;
  });
}

const untagInput = v.object({ resourceArn, tagKeys: v.pipe(v.array(v.string()), v.maxLength(MAX_TAGS)) });

export async function untagResource(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(untagInput, input);
  return changeTags(api, request.resourceArn, (before) =>
    Object.fromEntries(Object.entries(before).filter(([key]) => !request.tagKeys.includes(key))),
  );
}

async function changeTags(api: EcsApi, arn: string, change: (before: Tags) => Tags): Promise<object> {
  const task = taskOfArn(api, arn);
  if (task !== undefined) {
    await api.engine.setTags(task.id, change(task.request.tags));
    return {};
  }
  return api.state.mutate(() => {
    const { tags: before, withTags } = tagged(api, arn);
    return { changes: [withTags(change(before))], result: {} };
  });
}

/** undefined: it is not the ARN of a task. @throws AwsError */
function taskOfArn({ engine }: EcsApi, arn: string): RunningTask | undefined {
  if (!/^arn:aws:ecs:[^:]*:[^:]*:task\//.test(arn)) return undefined;
  const task = engine.tasks.get(nameOf(arn));
  if (task === undefined) throw new AwsError('InvalidParameterException', 'The specified task was not found.');
  return task;
}

const listInput = v.object({ resourceArn });

export function listTagsForResource(api: EcsApi, input: unknown): object {
  const { resourceArn: arn } = readInput(listInput, input);
  return { tags: tagList(taskOfArn(api, arn)?.request.tags ?? tagged(api, arn).tags) };
}

/** Of clusters, services and task definitions, which the state has. @throws AwsError */
function tagged({ state }: EcsApi, arn: string): { readonly tags: Tags; withTags(tags: Tags): EcsChange } {
  const [, kind, key = ''] = /^arn:aws:ecs:[^:]*:[^:]*:(cluster|service|task-definition)\/(.+)$/.exec(arn) ?? [];
  const refuse = (code: AwsErrorCode, message: string) => new AwsError(code, message);
  switch (kind) {
    case 'cluster': {
      const record = activeCluster(state, key);
      if (record === undefined) throw refuse('ClusterNotFoundException', 'Cluster not found.');
      return { tags: record.tags, withTags: (next) => ({ collection: kind, key, value: { ...record, tags: next } }) };
    }
    case 'service': {
      // The ARNs of before 2018 have no cluster.
      const whole = key.includes('/') ? key : `${DEFAULT_CLUSTER}/${key}`;
      const record = state.services.get(whole);
      if (record === undefined || record.status === 'INACTIVE')
        throw refuse('InvalidParameterException', 'ServiceNotFoundException: Service not found.');
      const withTags = (next: Tags): EcsChange => ({
        ...{ collection: kind, key: whole, value: { ...record, tags: next } },
      });
      return { tags: record.tags, withTags };
    }
    case 'task-definition': {
      const record = state.definitions.get(key);
      if (record === undefined) throw refuse('ClientException', 'Unable to describe task definition.');
      const withTags = (next: Tags): EcsChange => ({
        ...{ collection: 'definition', key, value: { ...record, tags: next } },
      });
      return { tags: record.tags, withTags };
    }
    default:
      throw refuse('InvalidParameterException', 'The specified resource ARN does not refer to a resource.');
  }
}
