// The state of ECS in memory and in one file: a line of JSON and a line with its hash, used completely or not at all.
import { createHash } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { readRegularFile } from '../../native/regular-file.ts';
import {
  type ClusterRecord,
  definitionKey,
  type EcsServiceRecord,
  serviceKey,
  type TaskDefinitionRecord,
} from './ecs-records.ts';
import { type EcsChange, type EcsPlan, type EcsState, EcsTables } from './ecs-state.ts';

const VERSION = 2;
const MAX_BYTES = 1024 * 1024 * 1024;

interface Content {
  readonly healthdnsEcs: number;
  readonly clusters: readonly ClusterRecord[];
  readonly definitions: readonly TaskDefinitionRecord[];
  readonly services: readonly EcsServiceRecord[];
}

export class FileState extends EcsTables implements EcsState {
  readonly #file: string | undefined;
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  /** `file` undefined: in memory only. */
  constructor(file: string | undefined) {
    super();
    this.#file = file;
  }

  /** Rejects with the file's problem: an empty state in its place would stop every service. */
  async load(): Promise<void> {
    if (this.#file === undefined) return;
    let text: string;
    try {
      text = await readRegularFile(this.#file, MAX_BYTES);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw new Error(`${this.#file} cannot be read: ${(error as Error).message}`);
    }
    const content = contentOf(text);
    if (content === undefined) {
      const remedy = 'restore it from a backup, or remove it to begin without clusters, task definitions and services';
      throw new Error(`${this.#file} is damaged, or was written by another version of healthdns: ${remedy}`);
    }
    for (const cluster of content.clusters) this.clusters.set(cluster.name, cluster);
    for (const definition of content.definitions) this.definitions.set(definitionKey(definition), definition);
    for (const service of content.services) this.services.set(serviceKey(service), service);
  }

  notReady(): undefined {
    return undefined;
  }

  /** Nobody else writes the file. */
  async refresh(): Promise<void> {}

  async mutate<Result>(plan: () => EcsPlan<Result>): Promise<Result> {
    const { changes, result } = plan();
    const undo = changes.map((change) => ({ made: change, undo: this.put(change) })).reverse();
    try {
      if (changes.length > 0) await this.save();
    } catch (error) {
      for (const one of undo) if (this.get(one.made) === one.made.value) this.put(one.undo);
      throw new AwsError('ServiceUnavailable', `not stored: ${(error as Error).message}`);
    }
    this.tell(changes);
    return result;
  }

  /** For the supervisor: takes effect at once and is stored later, since all of it can be found out again. */
  note(change: EcsChange): void {
    this.put(change);
    this.save().catch(() => {}); // the next request reports it
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
      const json = JSON.stringify(content);
      await handle.writeFile(`${json}\n${hashOf(json)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  }
}

function contentOf(text: string): Content | undefined {
  const [json, hash] = text.split('\n');
  if (hash === undefined || hash !== hashOf(json)) return undefined;
  const content: Content = JSON.parse(json);
  return content.healthdnsEcs === VERSION ? content : undefined;
}

const hashOf = (json: string): string => createHash('sha256').update(json).digest('hex');
