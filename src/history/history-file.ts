// The history on disk, so that it survives a restart: a line of JSON per change, appended; a full file
// becomes the previous file, so two files are read at the start.
import { constants } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { openRegularFile } from '../native/regular-file.ts';
import type { Answered, History, HistoryChange, Transition } from './history.ts';

export interface HistoryFileSettings {
  readonly file: string;
  readonly history: History;
  readonly clock: Pick<Clock, 'now' | 'setTimeout'>;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** Of each of the two files. */
  readonly maxBytes?: number;
}

export interface HistoryFile {
  append(change: HistoryChange): void;
  /** Writes pending changes. */
  stop(): Promise<void>;
}

const MAX_BYTES = 4 * 1024 * 1024;
const WRITE_MS = 1_000;
/** Waiting to be written while the disk does not keep up; beyond it, changes are kept in memory only. */
const MAX_WAITING = 20_000;

const previousOf = (file: string): string => `${file}.previous`;

/** Reads what earlier processes wrote. Never rejects: without it there is less history. */
export async function restoreHistory({ file, history, log, maxBytes = MAX_BYTES }: HistoryFileSettings): Promise<void> {
  let skipped = 0;
  for (const each of [previousOf(file), file]) {
    for (const line of await linesOf(each, maxBytes, log)) if (!restore(line, history)) skipped++;
  }
  if (skipped > 0) log.warn('skipped unreadable lines of the history file', { file, lines: skipped });
}

/** Appends from now on, beginning immediately with a line for the start of this process. */
export function openHistoryFile({
  file,
  clock,
  log,
  maxBytes = MAX_BYTES,
}: Omit<HistoryFileSettings, 'history'>): HistoryFile {
  let waiting: string[] = [`${JSON.stringify({ startedMs: clock.now() })}\n`];
  let timer: Timer | undefined;
  let isFailing = false;
  let writing: Promise<void> = Promise.resolve();

  function writeSoon(): void {
    timer ??= clock.setTimeout(() => {
      timer = undefined;
      writing = writing.then(write);
    }, WRITE_MS);
  }

  async function write(): Promise<void> {
    const text = waiting.join('');
    waiting = [];
    if (text === '') return;
    try {
      const { size } = await stat(file).catch(() => ({ size: 0 }));
      if (size > 0 && size + text.length > maxBytes) await rename(file, previousOf(file));
      await append(file, text);
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn('failed to write the history', { file, error: (error as Error).message });
      isFailing = true;
    }
  }

  writing = write();
  return {
    append(change) {
      if (waiting.length < MAX_WAITING) waiting.push(`${JSON.stringify(change)}\n`);
      writeSoon();
    },
    async stop() {
      timer?.cancel();
      await writing.then(write);
    },
  };
}

async function append(file: string, text: string): Promise<void> {
  const handle = await openRegularFile(file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600);
  await handle.writeFile(text).finally(() => handle.close());
}

/** The last `maxBytes` of a file; empty where there is none. */
async function linesOf(file: string, maxBytes: number, log: Pick<Logger, 'warn'>): Promise<readonly string[]> {
  try {
    const handle = await openRegularFile(file);
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, maxBytes);
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
      const lines = buffer.toString('utf8').split('\n');
      // The first may be cut.
      return (size > length ? lines.slice(1) : lines).filter((line) => line !== '');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn('failed to read the history file', { file, error: (error as Error).message });
    return [];
  }
}

function restore(line: string, history: History): boolean {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return false;
  }
  if (!isObject(value)) return false;
  if (typeof value.startedMs === 'number') {
    history.began(value.startedMs);
    return true;
  }
  if (!isChange(value)) return false;
  history.record(value);
  return true;
}

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === 'string');
const has = (value: Fields, type: 'string' | 'number', ...keys: readonly string[]): boolean =>
  keys.every((key) => typeof value[key] === type);

function isChange(value: Fields): value is Fields & HistoryChange {
  return (
    has(value, 'number', 'atMs', 'more') &&
    has(value, 'string', 'service', 'name') &&
    Array.isArray(value.transitions) &&
    value.transitions.every(isTransition) &&
    isAnswered(value.after)
  );
}

const isTransition = (value: unknown): value is Transition =>
  isObject(value) &&
  has(value, 'string', 'instance', 'from', 'to', 'rule', 'reason') &&
  typeof value.answered === 'boolean' &&
  areTexts(value.addresses);

const isAnswered = (value: unknown): value is Answered =>
  isObject(value) &&
  has(value, 'string', 'outcome') &&
  has(value, 'number', 'answered', 'of') &&
  areTexts(value.addresses);
