// Untrusted Kubernetes objects as received. These readers validate the fields that the translation of a kind uses, and
// report problems.

/** An object that cannot be translated: it is skipped, counted, and logged once. */
export class MalformedObject extends Error {
  override readonly name = 'MalformedObject';
}

export type Fields = Readonly<Record<string, unknown>>;

export interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly labels: Fields;
  readonly annotations: Fields;
  readonly createdMs: number | undefined;
  readonly deletingSinceMs: number | undefined;
}

const EMPTY: Fields = {};

export function fields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new MalformedObject(`${what} is not an object`);
}

export const optionalFields = (value: unknown, what: string): Fields =>
  value === undefined || value === null ? EMPTY : fields(value, what);

/** null and undefined are the empty list, as in Go. */
export function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new MalformedObject(`${what} is not a list`);
}

export function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new MalformedObject(`${what} is not text`);
}

export const optionalText = (value: unknown, what: string): string | undefined =>
  value === undefined || value === null || value === '' ? undefined : text(value, what);

export function optionalBoolean(value: unknown, what: string): boolean | undefined {
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
  throw new MalformedObject(`${what} is not true or false`);
}

export function portNumber(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536) return value;
  throw new MalformedObject(`${what} is not a port number`);
}

/** RFC 3339 time, or milliseconds since the epoch → milliseconds; undefined if absent, malformed or out of a Date's range. */
export function timeMs(value: unknown): number | undefined {
  const milliseconds = typeof value === 'string' ? Date.parse(value) : value;
  return typeof milliseconds === 'number' && Math.abs(milliseconds) <= 8.64e15 ? milliseconds : undefined;
}

/** Throws MalformedObject if there is no name. */
export function metadata(object: Fields): Metadata {
  const raw = fields(object.metadata, 'metadata');
  const name = text(raw.name, 'metadata.name');
  if (name === '') throw new MalformedObject('metadata.name is empty');
  return {
    name,
    namespace: optionalText(raw.namespace, 'metadata.namespace') ?? '',
    resourceVersion: optionalText(raw.resourceVersion, 'metadata.resourceVersion') ?? '',
    labels: optionalFields(raw.labels, 'metadata.labels'),
    annotations: optionalFields(raw.annotations, 'metadata.annotations'),
    createdMs: timeMs(raw.creationTimestamp),
    deletingSinceMs: timeMs(raw.deletionTimestamp),
  };
}
