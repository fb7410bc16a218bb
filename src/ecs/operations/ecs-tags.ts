import * as v from 'valibot';
import { AwsError } from '../../cloudmap/aws-error.ts';
import type { Tags } from '../model/ecs-records.ts';
import { type EcsApi, readInput, tagList, tags, tagsOf } from './ecs-api.ts';

const MAX_TAGS = 50;
const resourceArn = v.pipe(v.string(), v.minLength(1), v.maxLength(2048));

const tagInput = v.object({ resourceArn, tags });

export async function tagResource(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(tagInput, input);
  const { record, change } = tagged(api, request.resourceArn);
  const merged = { ...record.tags, ...tagsOf(request.tags) };
  if (Object.keys(merged).length > MAX_TAGS)
    throw new AwsError('ClientException', `a resource has at most ${MAX_TAGS} tags`);
  change(merged);
  await api.state.save();
  return {};
}

const untagInput = v.object({ resourceArn, tagKeys: v.pipe(v.array(v.string()), v.maxLength(MAX_TAGS)) });

export async function untagResource(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(untagInput, input);
  const { record, change } = tagged(api, request.resourceArn);
  change(Object.fromEntries(Object.entries(record.tags).filter(([key]) => !request.tagKeys.includes(key))));
  await api.state.save();
  return {};
}

const listInput = v.object({ resourceArn });

export function listTagsForResource(api: EcsApi, input: unknown): object {
  return { tags: tagList(tagged(api, readInput(listInput, input).resourceArn).record.tags) };
}

/** Clusters, services and task definitions have tags; those of a task are set by RunTask. @throws AwsError */
function tagged(
  { state }: EcsApi,
  arn: string,
): { readonly record: { readonly tags: Tags }; change(tags: Tags): void } {
  const [, kind, rest = ''] = /^arn:aws:ecs:[^:]*:[^:]*:(cluster|service|task-definition)\/(.+)$/.exec(arn) ?? [];
  const tables = { cluster: state.clusters, service: state.services, 'task-definition': state.definitions };
  const table = tables[kind as keyof typeof tables] as Map<string, { readonly tags: Tags }> | undefined;
  const record = table?.get(rest);
  if (table === undefined || record === undefined)
    throw new AwsError('InvalidParameterException', 'The specified resource ARN does not refer to a resource.');
  return { record, change: (next) => void table.set(rest, { ...record, tags: next }) };
}
