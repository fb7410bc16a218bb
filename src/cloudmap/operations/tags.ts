import * as v from 'valibot';
import type { Api } from '../api.ts';
import { AwsError } from '../aws-error.ts';
import { idOf, type NamespaceRecord, type ServiceRecord, type StoreChange } from '../records.ts';
import { read, tagKeys, tags } from '../request-shapes.ts';

const MAX_TAGS = 50;

type TagList = v.InferOutput<typeof tags>;

/** Tags as a record. @throws AwsError for too many tags or reserved keys */
export function tagsOf(list: TagList, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const reserved = list.find(({ Key }) => Key.toLowerCase().startsWith('aws:'));
  if (reserved) throw new AwsError('InvalidInput', `tag ${reserved.Key}: keys beginning with aws: are reserved`);
  const merged = { ...before, ...Object.fromEntries(list.map(({ Key, Value }) => [Key, Value])) };
  if (Object.keys(merged).length > MAX_TAGS)
    throw new AwsError('TooManyTagsException', `a resource has at most ${MAX_TAGS} tags`);
  return merged;
}

const arn = v.pipe(v.string(), v.minLength(1), v.maxLength(1011));
const listInput = v.object({ ResourceARN: arn });

export function listTagsForResource(api: Api, input: unknown): object {
  const { record } = taggedResource(api, read(listInput, input).ResourceARN);
  return { Tags: Object.entries(record.tags).map(([Key, Value]) => ({ Key, Value })) };
}

const tagInput = v.object({ ResourceARN: arn, Tags: tags });

export function tagResource(api: Api, input: unknown): Promise<object> {
  const { ResourceARN, Tags } = read(tagInput, input);
  return retag(api, ResourceARN, (before) => tagsOf(Tags, before));
}

const untagInput = v.object({ ResourceARN: arn, TagKeys: tagKeys });

export function untagResource(api: Api, input: unknown): Promise<object> {
  const { ResourceARN, TagKeys } = read(untagInput, input);
  return retag(api, ResourceARN, (before) =>
    Object.fromEntries(Object.entries(before).filter(([key]) => !TagKeys.includes(key))),
  );
}

type Tags = Readonly<Record<string, string>>;

function retag(api: Api, resourceArn: string, next: (before: Tags) => Tags): Promise<object> {
  return api.state.mutate(() => {
    const { record, changed } = taggedResource(api, resourceArn);
    return { changes: [changed(next(record.tags))], result: {} };
  });
}

/** Namespaces and services have tags. */
function taggedResource(
  { state }: Api,
  resourceArn: string,
): { readonly record: NamespaceRecord | ServiceRecord; readonly changed: (tags: Tags) => StoreChange } {
  const key = idOf(resourceArn);
  const namespace = state.namespaces.get(key);
  if (namespace !== undefined)
    return { record: namespace, changed: (tags) => ({ collection: 'namespace', key, value: { ...namespace, tags } }) };
  const service = state.services.get(key);
  if (service !== undefined)
    return { record: service, changed: (tags) => ({ collection: 'service', key, value: { ...service, tags } }) };
  throw new AwsError('ResourceNotFoundException', `no namespace or service ${resourceArn}`);
}
