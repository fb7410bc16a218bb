// All that the ECS API has created, in memory and in one file. Tasks are not in it: they end with the supervisor.
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type ClusterRecord,
  definitionKey,
  type EcsServiceRecord,
  serviceKey,
  type TaskDefinitionRecord,
} from './ecs-records.ts';

const VERSION = 1;

interface Content {
  readonly healthdnsEcs: number;
  readonly clusters: readonly ClusterRecord[];
  readonly definitions: readonly TaskDefinitionRecord[];
  readonly services: readonly EcsServiceRecord[];
}

export class EcsState {
  readonly clusters = new Map<string, ClusterRecord>();
  /** By "family:revision", in the order of registration. */
  readonly definitions = new Map<string, TaskDefinitionRecord>();
  readonly services = new Map<string, EcsServiceRecord>();
  readonly #file: string | undefined;
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  /** `file` undefined: in memory only. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Rejects with the file's problem: an empty state in its place would stop every service. */
  async load(): Promise<void> {
    if (this.#file === undefined) return;
    let content: Content;
    try {
      content = JSON.parse(await readFile(this.#file, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw new Error(`${this.#file} cannot be read: ${(error as Error).message}`);
    }
    if (content.healthdnsEcs !== VERSION) throw new Error(`${this.#file} was written by another version of healthdns`);
    for (const cluster of content.clusters) this.clusters.set(cluster.name, cluster);
    for (const definition of content.definitions) this.definitions.set(definitionKey(definition), definition);
    for (const service of content.services) this.services.set(serviceKey(service), service);
  }

  /** Resolves when all changes made so far are on the disk. Saves that wait share one write. */
  save(): Promise<void> {
    if (this.#file === undefined) return Promise.resolve();
    const start = () => {
      this.#queued = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
      });
      return this.#writing;
    };
    if (this.#writing === undefined) return start();
    this.#queued ??= this.#writing.then(start, start);
    return this.#queued;
  }

  /** Resolves when no write is under way or waiting. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await (this.#queued ?? this.#writing).catch(() => {});
  }

  clear(): void {
    this.clusters.clear();
    this.definitions.clear();
    this.services.clear();
  }

  async #write(): Promise<void> {
    const file = this.#file!;
    const content: Content = {
      healthdnsEcs: VERSION,
      clusters: [...this.clusters.values()],
      definitions: [...this.definitions.values()],
      services: [...this.services.values()],
    };
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.tmp`;
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(content));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  }
}
