// `history`: how many changes of answers are remembered, and where.
import { dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { integer, mapping, text } from '../../reading/shape.ts';
import type { CloudMapConfig, HistoryConfig, ZoneConfig } from '../config.ts';

export const historyEntry = v.optional(
  mapping(
    {
      perService: v.optional(integer(1, 10_000, 'Maximum number of changes kept per service.'), 50),
      inAll: v.optional(
        integer(0, 1_000_000, 'Maximum number of changes kept in total; 0: nothing is recorded, logged or written.'),
        10_000,
      ),
      file: v.optional(
        text(
          'a path',
          'File in which changes survive a restart, relative to this file. Default: beside the first snapshot, or beside the folder of the Cloud Map store (FOLDER-history.jsonl); otherwise in memory only.',
        ),
      ),
    },
    'Changes of what services answer, for `explain --history`.',
  ),
  {},
);

const FILE = 'history.jsonl';

export function buildHistory(
  { file, ...limits }: v.InferOutput<typeof historyEntry>,
  folder: string,
  zones: readonly ZoneConfig[],
  cloudMap: CloudMapConfig | undefined,
): HistoryConfig {
  return { ...limits, file: file === undefined ? defaultFile(zones, cloudMap?.store) : resolve(folder, file) };
}

function defaultFile(zones: readonly ZoneConfig[], store: CloudMapConfig['store'] | undefined): string | undefined {
  if (store?.kind === 'folder') return `${store.path}-${FILE}`;
  const inStore = store?.kind === 'kubernetes' ? store.snapshot : undefined;
  const snapshot = zones.flatMap(({ kubernetes }) => kubernetes).find((one) => one.snapshot !== undefined)?.snapshot;
  const beside = (snapshot ?? inStore)?.file;
  return beside && join(dirname(beside), FILE);
}
