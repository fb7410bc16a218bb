import * as v from 'valibot';
import { AwsError, type AwsErrorCode } from '../../cloudmap/aws-error.ts';
import type { Tags } from '../model/ecs-records.ts';
import type { EcsChange } from '../model/ecs-state.ts';
import { DEFAULT_CLUSTER, type EcsApi, nameOf, readInput, tagList, tags, tagsOf } from './ecs-api.ts';

const MAX_TAGS = 50;
const resourceArn = v.pipe(v.string(), v.minLength(1), v.maxLength(2048));

const tagInput = v.object({ resourceArn, tags });

export async function tagResource(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(tagInput, input);
  return api.state.mutate(() => {
    const { tags: before, withTags } = tagged(api, request.resourceArn);
    const given = tagsOf(request.tags);
    const kept = Object.entries(before).filter(([key]) => !Object.hasOwn(given, key));
    const merged = { ...Object.fromEntries(kept), ...given };
    if (Object.keys(merged).length > MAX_TAGS)
      throw new AwsError('ClientException', `a resource has at most ${MAX_TAGS} tags`);
    return { changes: [withTags(merged)], result: {} };
  });
}

const untagInput = v.object({ resourceArn, tagKeys: v.pipe(v.array(v.string()), v.maxLength(MAX_TAGS)) });

export async function untagResource(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(untagInput, input);
  return api.state.mutate(() => {
    const { tags: before, withTags } = tagged(api, request.resourceArn);
    const left = Object.entries(before).filter(([key]) => !request.tagKeys.includes(key));
    return { changes: [withTags(Object.fromEntries(left))], result: {} };
  });
}

const listInput = v.object({ resourceArn });

export function listTagsForResource(api: EcsApi, input: unknown): object {
  return { tags: tagList(tagged(api, readInput(listInput, input).resourceArn).tags) };
}

/** Clusters, services and task definitions have tags; those of a task are set by RunTask. @throws AwsError */
function tagged({ state, engine }: EcsApi, arn: string): { readonly tags: Tags; withTags(tags: Tags): EcsChange } {
  const [, kind, key = ''] = /^arn:aws:ecs:[^:]*:[^:]*:(cluster|service|task-definition|task)\/(.+)$/.exec(arn) ?? [];
  const refuse = (code: AwsErrorCode, message: string) => new AwsError(code, message);
  switch (kind) {
    case 'cluster': {
      const record = state.clusters.get(key);
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
    case 'task': {
      const task = engine.tasks.get(nameOf(key));
      if (task === undefined) throw refuse('InvalidParameterException', 'The specified task was not found.');
      return {
        tags: task.request.tags,
        withTags() {
          throw refuse('InvalidParameterException', 'tags of a task are set by RunTask');
        },
      };
    }
    default:
      throw refuse('InvalidParameterException', 'The specified resource ARN does not refer to a resource.');
  }
}
