// zones.yaml as a whole: its top-level keys, each from its own file. A new section adds one line in each of the three
// functions here, and its schema appears in zones.schema.json by itself.
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Reporter } from '../../reading/problem.ts';
import { choice, expecting, integer, mapping, oneOrMany, text } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { Config, ListenAddress } from '../config.ts';
import { answeringEntries, buildAnswering, checkAnswering } from '../sections/answering.ts';
import { buildCloudMap, checkCloudMap, cloudMapEntry } from '../sections/cloud-map.ts';
import { createClusterNames } from '../sections/cluster-names.ts';
import { buildEcs, checkEcs, ecsEntry } from '../sections/ecs.ts';
import { buildHistory, historyEntry } from '../sections/history.ts';
import {
  adminAddress,
  adminEntries,
  buildAdmin,
  buildHttp,
  checkAdmin,
  checkListen,
  httpEntry,
  isLoopback,
  listenEntry,
  parseListenAddress,
} from '../sections/listen.ts';
import { warnOfMissingGlue } from '../sections/missing-glue.ts';
import { buildDnstap, observingEntries } from '../sections/observing.ts';
import { buildPush, checkPush, pushEntry } from '../sections/push.ts';
import { buildServer, limitsEntry, serverEntry } from '../sections/server.ts';
import { checkSnapshotFiles } from '../sections/snapshot-files.ts';
import { buildViews, checkViews, checkViewZones, viewsEntry } from '../sections/views.ts';
import { buildZones, checkZones, warnOfNames, zonesEntry } from '../sections/zones.ts';

export const fileSchema = mapping(
  {
    $schema: v.optional(text('a URL or path', 'JSON Schema of this file, for editors.')),
    listen: listenEntry,
    http: httpEntry,
    ...adminEntries,
    operatorFile: v.optional(
      text(
        'a path',
        'File that stores the orders of `drain` and `force` for instances that are neither pods nor in Cloud Map.',
      ),
    ),
    include: v.optional(
      oneOrMany(
        text('a path or pattern', 'A path.'),
        'Files with further keys of this file, or patterns such as custom/*.yaml, relative to this file.',
      ),
    ),
    threads: v.optional(
      v.pipe(
        v.union(
          [v.literal('auto'), integer(1, 64, 'Number of threads.')],
          expecting('auto, or a whole number from 1 to 64'),
        ),
        v.description('Number of data threads; auto: 1, or more on machines with many processors.'),
      ),
      'auto',
    ),
    logLevel: v.optional(
      choice(['debug', 'info', 'warn', 'error', 'silent'], 'Least severe level that is logged to stderr.'),
      'info',
    ),
    server: serverEntry,
    limits: limitsEntry,
    cloudMap: cloudMapEntry,
    ecs: ecsEntry,
    zones: zonesEntry,
    ...answeringEntries,
    ...observingEntries,
    push: pushEntry,
    views: viewsEntry,
    history: historyEntry,
  },
  'Configuration of healthdns.',
);

export type FileInput = v.InferOutput<typeof fileSchema>;

/** Cross-checks of every well-formed section. `folder`: base of relative paths. Resolves to the records that were read. */
export async function checkFile(
  file: FileInput,
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
): Promise<RecordsOfZones> {
  if (soundness.isSound(['listen'])) checkListen(file.listen, soundness.isSound(['http']) && file.http, reporter);
  const { admin, http } = addressesOf(file, soundness);
  if (admin !== undefined) {
    const listen = soundness.isSound(['listen']) ? [file.listen].flat() : [];
    checkAdmin(admin, file.adminToken, [...listen, ...http], folder, reporter);
  }
  const apiAddress = admin === undefined ? adminOf(http) : parseListenAddress(adminAddress(admin));
  if (file.cloudMap !== undefined && file.cloudMap !== null) {
    await checkCloudMap(file.cloudMap, apiAddress, folder, soundness, reporter);
    if (admin === undefined && apiAddress !== undefined && !isLoopback(apiAddress.address))
      reporter.warning(['cloudMap'], 'the API is not served: `http` is not loopback, so set `admin`');
  }
  if (file.ecs !== undefined && file.ecs !== null) {
    checkEcs(file.ecs, file.cloudMap, apiAddress, soundness, reporter);
  }
  if (file.push !== undefined && soundness.isSound(['push'])) {
    const listen = soundness.isSound(['listen']) ? [file.listen].flat() : [];
    checkPush(file.push, [...listen, ...http], folder, reporter);
  }
  checkAnswering(file, folder, (key) => soundness.isSound([key]), reporter);
  if (soundness.isContainer(['views'])) checkViews(file.views, file, folder, soundness, reporter);
  if (!soundness.isContainer(['zones'])) return new Map();
  if (file.zones.length === 0 && file.forward === undefined && file.cloudMap === undefined && file.views.length === 0)
    reporter.problem(['zones'], '`zones` is missing: expected at least one zone to answer for');
  if (soundness.isSound(['views']) && soundness.isSound(['zones']) && file.cloudMap === undefined)
    checkViewZones(file.views, file.zones, reporter);
  const records = await checkZones(file.zones, folder, soundness, reporter);
  await checkSnapshotFiles(file.zones, file.cloudMap, folder, soundness, reporter);
  return records;
}

type RecordsOfZones = Awaited<ReturnType<typeof checkZones>>;

/** Those that are well-formed and not disabled. */
function addressesOf({ admin, http }: FileInput, soundness: Soundness) {
  return {
    admin: soundness.isSound(['admin']) ? admin : undefined,
    http: soundness.isSound(['http']) && http !== false ? [http].flat() : [],
  };
}

/** Without `admin`, its endpoints are on those of `http` that are loopback. */
function adminOf(http: readonly string[]): ListenAddress | undefined {
  const addresses = http.map(parseListenAddress);
  return addresses.find(({ address }) => isLoopback(address)) ?? addresses[0];
}

/** A file without problems → the configuration; may still warn. */
export function buildConfig(
  input: FileInput,
  records: RecordsOfZones,
  source: Pick<Config, 'file' | 'hash'>,
  folder: string,
  reporter: Reporter,
): Config {
  const clusters = createClusterNames();
  const push = input.push && buildPush(input.push, folder);
  const offered = push && { push: { name: push.name, port: push.listen[0].port } };
  const zones = buildZones(input.zones, records, folder, clusters).map((zone) => ({ ...zone, ...offered }));
  for (const [i, zone] of zones.entries()) {
    warnOfNames(zone, ['zones', i], reporter);
    warnOfMissingGlue(zone, records.get(input.zones[i])!, zones);
  }
  const cloudMap = input.cloudMap && buildCloudMap(input.cloudMap, folder, clusters);
  const limits = { ...input.limits, errorText: input.server.errorText };
  return {
    ...source,
    listen: [input.listen].flat().map(parseListenAddress),
    http: buildHttp(input.http),
    admin: input.admin === undefined ? undefined : buildAdmin(input.admin, folder),
    adminToken: input.adminToken && resolve(folder, input.adminToken),
    ...(input.operatorFile !== undefined && { operatorFile: resolve(folder, input.operatorFile) }),
    threads: input.threads,
    server: buildServer(input.server),
    limits: input.limits,
    metrics: input.metrics,
    topQueries: input.topQueries,
    ...(input.dnstap && { dnstap: buildDnstap(input.dnstap, folder) }),
    ...(push && { push }),
    logLevel: input.logLevel,
    zones,
    ...(cloudMap && { cloudMap }),
    ...(input.ecs && { ecs: buildEcs(input.ecs, folder, cloudMap) }),
    ...buildAnswering(input, limits, folder, zones, reporter),
    ...(input.views.length > 0 && {
      views: buildViews(input.views, input, limits, folder, zones, reporter),
    }),
    history: buildHistory(input.history, folder, zones, cloudMap),
  };
}
