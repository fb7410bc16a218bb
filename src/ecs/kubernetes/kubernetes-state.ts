// The state of ECS in a cluster. Every replica watches it and holds all of it in memory; any replica may write, based on the
// version that it knows, and plans again if another one was faster.
import { AwsError } from '../../cloudmap/aws-error.ts';
import { ApiError, type ApiServer } from '../../sources/kubernetes/api/api-server.ts';
import { type ConflictTimes, conflictRetries } from '../../sources/kubernetes/api/conflicts.ts';
import { type Fields, fields, metadata } from '../../sources/kubernetes/api/objects.ts';
import type { WatchedKind } from '../../sources/kubernetes/watch/watched-kind.ts';
import { type EcsChange, type EcsPlan, type EcsState, EcsTables } from '../model/ecs-state.ts';
import { RECORDS, readRecordObject, recordObject, recordObjectName } from './ecs-objects.ts';

export interface KubernetesStateSettings extends ConflictTimes {
  readonly server: ApiServer;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** An object as last seen, by watching or in the response to a write, whichever is newer. */
interface Held {
  readonly change: EcsChange;
  readonly version: number;
  readonly raw: Fields;
}

export class KubernetesState extends EcsTables implements EcsState {
  readonly #settings: KubernetesStateSettings;
  readonly #held = new Map<string, Held>();
  /** Objects that a request of this replica is writing right now. */
  readonly #writing = new Map<string, Promise<void>>();
  #isListed = false;

  constructor(settings: KubernetesStateSettings) {
    super();
    this.#settings = settings;
  }

  notReady(): string | undefined {
    return this.#isListed ? undefined : 'the API server has not been read yet';
  }

  /** All objects have been read once. */
  listed(): void {
    this.#isListed = true;
  }

  async mutate<Result>(plan: () => EcsPlan<Result>): Promise<Result> {
    const shallRetry = conflictRetries(this.#settings);
    for (;;) {
      const { changes, result } = plan();
      const names = changes.map(recordObjectName);
      const before = names.find((name) => this.#writing.has(name));
      if (before !== undefined) {
        // In turn, in the order of the requests: against each other, some would lose every time.
        await this.#writing.get(before);
        continue;
      }
      const conflict = await this.#whileWriting(names, () => this.#writeAll(changes));
      if (conflict === undefined) return result;
      if (!(await shallRetry())) throw notStored(conflict);
    }
  }

  /** Resolves to the conflict if another replica was faster; its version is known then. */
  async #writeAll(changes: readonly EcsChange[]): Promise<ApiError | undefined> {
    try {
      for (const change of changes) await this.#write(change);
      return undefined;
    } catch (error) {
      const isOutdated = error instanceof ApiError && (error.status === 409 || error.status === 404);
      if (!isOutdated) throw notStored(error);
      for (const { collection, key } of changes) await this.refresh(collection, key);
      return error;
    }
  }

  async #whileWriting<Result>(names: readonly string[], write: () => Promise<Result>): Promise<Result> {
    let done = () => {};
    const written = new Promise<void>((resolve) => {
      done = resolve;
    });
    for (const name of names) this.#writing.set(name, written);
    try {
      return await write();
    } finally {
      for (const name of names) this.#writing.delete(name);
      done();
    }
  }

  async refresh(collection: EcsChange['collection'], key: string): Promise<void> {
    try {
      await this.#read(recordObjectName({ collection, key }));
    } catch (error) {
      throw new AwsError('ServiceUnavailable', (error as Error).message);
    }
  }

  kind(): WatchedKind {
    return {
      resource: 'configmaps',
      title: 'records of ECS',
      apiGroup: '',
      groupVersionPath: '/api/v1',
      namespace: this.#settings.namespace,
      labelSelector: RECORDS,
      essential: true,
      keyOf: (_namespace, name) => name,
      replace: (_key, _metadata, object) => {
        this.#take(object);
        return undefined;
      },
      // One of the same name may have been created since.
      remove: (name) => void this.#read(name).catch(() => this.#forget(name)),
    };
  }

  async #write(change: EcsChange): Promise<void> {
    const { server, signal } = this.#settings;
    const name = recordObjectName(change);
    const held = this.#held.get(name);
    if (change.value !== undefined) {
      const object = recordObject(change, held?.raw);
      this.#take(await server.exchange(held ? 'PUT' : 'POST', this.#path(held ? name : ''), object, signal));
    } else if (held !== undefined) {
      const { uid, resourceVersion } = fields(held.raw.metadata, 'metadata');
      await server.exchange('DELETE', this.#path(name), { preconditions: { uid, resourceVersion } }, signal);
      this.#forget(name);
    }
  }

  async #read(name: string): Promise<void> {
    const { server, signal } = this.#settings;
    try {
      this.#take(await server.exchange('GET', this.#path(name), undefined, signal));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      this.#forget(name);
    }
  }

  #path(name: string): string {
    const { namespace } = this.#settings;
    return `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps${name && `/${encodeURIComponent(name)}`}`;
  }

  #take(object: Fields): void {
    const { name, resourceVersion } = metadata(object);
    const change = readRecordObject(object);
    const version = Number(resourceVersion);
    const before = this.#held.get(name);
    if (before !== undefined && before.version >= version) return;
    const { managedFields: _, ...own } = fields(object.metadata, 'metadata');
    this.#held.set(name, { change, version, raw: { metadata: own } });
    this.put(change);
    this.tell([change]);
  }

  #forget(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined) return;
    this.#held.delete(name);
    const change = { ...held.change, value: undefined };
    this.put(change);
    this.tell([change]);
  }
}

const notStored = (error: unknown): AwsError =>
  new AwsError('ServiceUnavailable', `not stored: ${(error as Error).message}`);
