// The snapshot files of all zones' sources: each separate, in an existing folder.
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { formatPath, type Path, type Reporter, shown } from '../../reading/problem.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { CloudMapInput } from './cloud-map.ts';
import type { KubernetesInput } from './kubernetes.ts';

type ZoneInput = { readonly kubernetes?: KubernetesInput | KubernetesInput[] };

/**
 * Reports, at `snapshot.file`, two sources that would overwrite each other's snapshot, and warns if a snapshot could not be
 * written: the folder may be there where it is served, and DNS without a snapshot is better than none.
 */
export async function checkSnapshotFiles(
  zones: readonly ZoneInput[],
  cloudMap: CloudMapInput | undefined,
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
): Promise<void> {
  const known = new Map<string, Path>();
  for (const { source, path } of [...soundSources(zones, soundness), ...soundStore(cloudMap, soundness)]) {
    if (source.snapshot === undefined) continue;
    const file = resolve(folder, source.snapshot.file);
    const at = [...path, 'snapshot', 'file'];
    const other = known.get(file);
    known.set(file, other ?? path);
    if (other !== undefined)
      reporter.problem(at, `snapshot ${shown(file)} is already used by ${formatPath(other)}: expected a separate file`);
    else if (!(await isFolder(dirname(file))))
      reporter.warning(
        at,
        `snapshot ${shown(file)} cannot be written: the folder ${shown(dirname(file))} does not exist`,
      );
    else if (await isFolder(file)) reporter.warning(at, `snapshot ${shown(file)} cannot be written: it is a folder`);
  }
}

function* soundSources(
  zones: readonly ZoneInput[],
  soundness: Soundness,
): Generator<{ source: KubernetesInput; path: Path }> {
  for (const [i, zone] of zones.entries()) {
    const path = ['zones', i, 'kubernetes'];
    if (!soundness.isContainer(path) || zone.kubernetes === undefined) continue;
    const sources = [zone.kubernetes].flat().map((source, j) => ({
      source,
      path: Array.isArray(zone.kubernetes) ? [...path, j] : path,
    }));
    yield* sources.filter((one) => soundness.isSound(one.path));
  }
}

/** The Cloud Map store in a cluster. */
function soundStore(cloudMap: CloudMapInput | undefined, soundness: Soundness) {
  const path: Path = ['cloudMap', 'store', 'kubernetes'];
  const store = cloudMap?.store;
  if (typeof store !== 'object' || store.kubernetes === undefined || !soundness.isSound(path)) return [];
  return [{ source: store.kubernetes, path }];
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
