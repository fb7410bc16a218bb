// The shapes of request members, from the API's service model (servicediscovery, 2017-03-14).
import * as v from 'valibot';
import { MAX_LABEL_BYTES } from '../dns/limits.ts';
import { NameError, parseName } from '../dns/name.ts';
import { AwsError, type AwsErrorCode } from './aws-error.ts';

/** Checks an operation's input. @throws AwsError `code` naming the member and what was expected */
export function read<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  code: AwsErrorCode = 'InvalidInput',
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, input ?? {}, { abortEarly: true, abortPipeEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  throw new AwsError(code, path === '' ? issue.message : `${path}: ${issue.message}`);
}

const between = (minimum: number, maximum: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum));
const textOf = (maximum: number) => v.pipe(v.string(), v.maxLength(maximum));
const listOf = <Schema extends v.GenericSchema>(schema: Schema, maximum: number) =>
  v.pipe(v.array(schema), v.maxLength(maximum));

/** The reason why a text is not a domain name. */
export function nameProblem(name: string): string | undefined {
  try {
    parseName(name);
    return undefined;
  } catch (error) {
    if (error instanceof NameError) return error.message;
    throw error;
  }
}

/** An id or an ARN. */
export const resourceId = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
export const requestId = v.optional(textOf(64));
export const description = v.optional(textOf(1024));
export const nextToken = v.optional(textOf(4096));
export const maxResults = v.optional(between(1, 100), 100);
export const discoverMaxResults = v.optional(between(1, 1000), 100);
export const ttl = between(0, 2_147_483_647);
export const failureThreshold = v.optional(between(1, 10), 1);

export const instanceId = v.pipe(
  v.string(),
  v.regex(/^[0-9a-zA-Z_/:.@-]+$/, 'must consist of letters, digits and _/:.@-'),
  v.maxLength(64),
);

const httpName = v.pipe(
  v.string(),
  v.regex(/^(?!arn:)[!-~]{1,1024}$/, 'must consist of 1 to 1024 printable characters'),
);
const privateName = v.pipe(
  v.string(),
  v.regex(/^(?!arn:)[!-~]{1,253}$/, 'must consist of 1 to 253 printable characters'),
  v.check((name) => nameProblem(name) === undefined, 'must be a domain name, such as production.local'),
);
const publicLabel = '[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const publicName = v.pipe(
  v.string(),
  v.maxLength(253),
  v.regex(new RegExp(`^(${publicLabel}\\.)+${publicLabel}$`), 'must be a domain name of two labels or more'),
);
export const namespaceName = { http: httpName, private: privateName, public: publicName } as const;
export const anyNamespaceName = httpName;

const serviceLabel = /^([a-z0-9_][a-z0-9_-]*[a-z0-9_]|[a-z0-9])$/i;

function serviceNameProblem(name: string): string | undefined {
  if (name === '.') return undefined;
  const labels = name.split('.');
  if (labels.includes('')) return 'has an empty label: labels are separated by single dots';
  const long = labels.find((label) => label.length > MAX_LABEL_BYTES);
  if (long !== undefined) return `has a label of ${long.length} characters: at most ${MAX_LABEL_BYTES} fit`;
  if (!/^[a-z0-9_.-]*$/i.test(name)) return 'must consist of letters, digits, hyphens, underscores and dots';
  if (labels.includes('_')) return 'has a label that is a single underscore';
  return labels.every((label) => serviceLabel.test(label)) ? undefined : 'has a label with a hyphen at an end';
}

export const serviceName = v.pipe(
  v.string(),
  v.maxLength(127),
  v.check(
    (name) => serviceNameProblem(name) === undefined,
    ({ input }) => serviceNameProblem(String(input)) ?? '',
  ),
);

const attributeKey = v.pipe(
  v.string(),
  v.regex(/^[a-zA-Z0-9!-~]{1,255}$/, 'an attribute key has 1 to 255 printable characters'),
);
const attributeValue = v.pipe(
  v.string(),
  v.maxLength(1024),
  v.regex(/^([!-~][ \t!-~]*)?$/, 'an attribute value is printable ASCII and does not begin with a space'),
);
/** Keys that valibot's records drop silently; they are rejected instead. */
const DROPPED_KEYS = ['__proto__', 'prototype', 'constructor'];
const mapOf = <Key extends v.BaseSchema<string, string, v.BaseIssue<unknown>>, Value extends v.GenericSchema>(
  key: Key,
  value: Value,
) =>
  v.pipe(
    v.custom<object>((given) => typeof given === 'object' && given !== null, 'must be a map of strings'),
    v.check(
      (given) => !DROPPED_KEYS.some((dropped) => Object.hasOwn(given, dropped)),
      `the keys ${DROPPED_KEYS.join(', ')} cannot be kept`,
    ),
    v.record(key, value),
  );

/** AWS allows at most 30 attributes with 5,000 characters in total. */
export const attributes = v.pipe(
  mapOf(attributeKey, attributeValue),
  v.check((value) => Object.keys(value).length <= 30, 'at most 30 attributes'),
  v.check(
    (value) => Object.entries(value).reduce((sum, [key, text]) => sum + key.length + text.length, 0) <= 5000,
    'at most 5000 characters in all attributes',
  ),
);
export const serviceAttributes = mapOf(v.pipe(v.string(), v.minLength(1), v.maxLength(255)), textOf(1024));
export const serviceAttributeKeys = v.pipe(v.array(textOf(255)), v.minLength(1), v.maxLength(30));

const tag = v.object({ Key: v.pipe(v.string(), v.minLength(1), v.maxLength(128)), Value: textOf(256) });
export const tags = listOf(tag, 200);
export const tagKeys = listOf(v.pipe(v.string(), v.minLength(1), v.maxLength(128)), 200);

export const dnsRecords = v.pipe(
  v.array(v.object({ Type: v.picklist(['A', 'AAAA', 'SRV', 'CNAME']), TTL: ttl })),
  v.minLength(1),
  v.maxLength(2),
);
export const healthCheckConfig = v.object({
  Type: v.picklist(['HTTP', 'HTTPS', 'TCP']),
  ResourcePath: v.optional(textOf(255)),
  FailureThreshold: failureThreshold,
});
export const soa = v.object({ TTL: ttl });

/** `Filters` of a List operation; each operation checks the names. */
export const filters = v.optional(
  listOf(
    v.object({
      Name: v.string(),
      Values: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(255))), v.minLength(1), v.maxLength(100)),
      Condition: v.optional(v.picklist(['EQ', 'IN', 'BETWEEN', 'BEGINS_WITH']), 'EQ'),
    }),
    10,
  ),
  [],
);
export type Filter = v.InferOutput<typeof filters>[number];
