// Requests of one client reach different replicas: `aws ecs register-task-definition` one, `update-service` another. Each
// replica watches the writes of the others, with a short delay. Objects in a request are therefore read anew where that delay would
// matter: a family's newest revision, objects to be changed, and objects unknown here.
import { definitionKey, serviceKey } from '../model/ecs-records.ts';
import { DEFAULT_CLUSTER, type EcsApi, nameOf } from './ecs-api.ts';

/** The most that a request may refer to; longer lists are rejected later. */
const MAX_NAMES = 100;

/** `writes`: whether the operation changes the objects in the input. @throws AwsError ServiceUnavailable */
export async function catchUp(api: EcsApi, input: unknown, writes: boolean): Promise<void> {
  const { state, engine } = api;
  const named = namesIn(input);
  const cluster = nameOf(named('cluster')[0] ?? DEFAULT_CLUSTER);
  const clusters = [...named('cluster'), ...named('clusters')].map(nameOf);
  const services = [...named('service'), ...named('services'), ...named('serviceName')].map((one) =>
    serviceKey({ cluster, name: nameOf(one) }),
  );
  const tasks = [...named('task'), ...named('tasks')].map(nameOf);
  const definitions = named('taskDefinition').map(nameOf);
  for (const arn of named('resourceArn')) {
    const [, kind, path] = /^arn:aws:ecs:[^:]*:[^:]*:([a-z-]+)\/(.+)$/.exec(arn) ?? [];
    if (kind === 'cluster') clusters.push(path);
    else if (kind === 'service') services.push(path);
    else if (kind === 'task') tasks.push(nameOf(arn));
    else if (kind === 'task-definition') definitions.push(path);
  }
  const reread = (known: ReadonlyMap<string, unknown>, keys: readonly string[]) =>
    keys.filter((key) => key !== '' && (writes || !known.has(key)));
  await Promise.all([
    ...reread(state.clusters, clusters).map((key) => state.refresh('cluster', key)),
    ...reread(state.services, services).map((key) => state.refresh('service', key)),
    ...reread(engine.tasks, tasks).map((id) => engine.refresh(id)),
    ...definitions.map((one) => refreshDefinition(api, one)),
  ]);
}

/** Revisions are never deleted, so the newest one is known when the next does not exist. */
async function refreshDefinition({ state }: EcsApi, reference: string): Promise<void> {
  if (reference.includes(':')) {
    if (!state.definitions.has(reference)) await state.refresh('definition', reference);
    return;
  }
  const revisions = [...state.definitions.values()].filter(({ family }) => family === reference);
  for (let revision = Math.max(0, ...revisions.map((one) => one.revision)) + 1; ; revision++) {
    const key = definitionKey({ family: reference, revision });
    await state.refresh('definition', key);
    if (!state.definitions.has(key)) return;
  }
}

/** The strings of a member, which may hold one or a list. Inputs are validated later, by the operation. */
function namesIn(input: unknown): (member: string) => readonly string[] {
  return (member) => {
    const value = (input as Readonly<Record<string, unknown>> | null | undefined)?.[member];
    const list: readonly unknown[] = Array.isArray(value) ? value.slice(0, MAX_NAMES) : [value];
    return list.filter((one): one is string => typeof one === 'string' && one !== '' && one.length <= 2048);
  };
}
