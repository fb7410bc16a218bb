// Checks the kubeconfigs of a configuration before a source uses them.
import { dirname, resolve } from 'node:path';
import { NotRegularFile, openRegularFile } from '../../native/regular-file.ts';
import { type Path, type Reporter, shown } from '../../reading/problem.ts';
import { readTextFile } from '../../reading/text-file.ts';
import { readYaml } from '../../reading/yaml.ts';

interface ClusterInput {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/**
 * Reports problems with the kubeconfig and context at `path`. A missing file may appear later: a warning. The default
 * kubeconfig is not checked, because `serve` may run as another user than `check`.
 */
export async function checkKubeconfig(
  { kubeconfig, context }: ClusterInput,
  path: Path,
  folder: string,
  reporter: Reporter,
): Promise<void> {
  if (kubeconfig === undefined) return;
  const file = resolve(folder, kubeconfig);
  const at = [...path, 'kubeconfig'];
  const read = await readTextFile(file);
  if ('text' in read) {
    const found = readKubeconfig(read.text, context);
    if ('message' in found) {
      const isAboutContext = context !== undefined && found.isAboutContext;
      reporter.problem(isAboutContext ? [...path, 'context'] : at, `kubeconfig ${shown(file)}${found.message}`);
      return;
    }
    for (const [key, name] of filesOf(found)) {
      const error = await readingError(resolve(dirname(file), name));
      if (error === undefined) continue;
      const what = `kubeconfig ${shown(file)}: ${key} ${shown(name)}`;
      if (error instanceof NotRegularFile) reporter.problem(at, `${what} is ${error.kind}, not a regular file`);
      else reporter.warning(at, `${what} cannot be read: the zone is not ready until it can`);
    }
  } else if (read.isAbsent) {
    reporter.warning(at, `kubeconfig ${shown(file)} cannot be read: the zone is not ready until it can`);
  } else {
    reporter.problem(at, `kubeconfig ${shown(file)}: ${read.problem}`);
  }
}

export interface KubeconfigProblem {
  /** Follows the file's name. Quotes only names from the file: kubeconfigs contain secrets. */
  readonly message: string;
  readonly isAboutContext: boolean;
}

/** The targets of a context. */
export interface Kubeconfig {
  readonly context: string;
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly user: Readonly<Record<string, unknown>>;
}

/** The cluster and user of this context, or of the current one. */
export function readKubeconfig(text: string, context: string | undefined): KubeconfigProblem | Kubeconfig {
  const about = (message: string, isAboutContext = false) => ({ message, isAboutContext });
  const { value, problems } = readYaml(text);
  const [first] = problems;
  if (first !== undefined) return about(` is not YAML: see its line ${first.line}, column ${first.column}`);
  if (value === null || value === undefined) return about(' is empty');
  if (typeof value !== 'object' || Array.isArray(value)) return about(' is not a kubeconfig');
  const { contexts, clusters, users, 'current-context': current } = fields(value);
  const wanted = context ?? current;
  const known = named(contexts);
  const have = `(it has ${listed([...known.keys()])})`;
  if (typeof wanted !== 'string' || wanted === '')
    return about(` has no current-context: select one with \`context\` ${have}`);
  const found = known.get(wanted);
  if (found === undefined) return about(` has no context "${shown(wanted)}" ${have}`, true);
  const names = fields(fields(found).context);
  const cluster = named(clusters).get(String(names.cluster ?? ''));
  const ofContext = `: context "${shown(wanted)}" refers to`;
  if (cluster === undefined) return about(`${ofContext} an undefined cluster`, true);
  const { server } = fields(fields(cluster).cluster);
  if (typeof server !== 'string' || server === '') return about(`${ofContext} a cluster without a server`, true);
  if (!isHttpUrl(server)) return about(`${ofContext} a cluster whose server is not an https:// or http:// URL`, true);
  const user = named(users).get(String(names.user ?? ''));
  // Without a user, requests are anonymous, as through `kubectl proxy`.
  const isNobody = names.user === undefined || names.user === null || names.user === '';
  if (user === undefined && !isNobody) return about(`${ofContext} an undefined user`, true);
  return { context: wanted, cluster: fields(fields(cluster).cluster), user: fields(fields(user).user) };
}

function isHttpUrl(server: string): boolean {
  return /^https?:\/\//i.test(server) && URL.canParse(server);
}

/** The files of the context with their keys; none is read if the kubeconfig contains the data itself. */
function filesOf({ cluster, user }: Kubeconfig): (readonly [key: string, file: string])[] {
  const keys = [
    [cluster, 'certificate-authority'],
    [user, 'client-certificate'],
    [user, 'client-key'],
    [user, 'tokenFile'],
  ] as const;
  return keys.flatMap(([of, key]) => {
    const file = of[key];
    return typeof file === 'string' && file !== '' && !of[`${key}-data`] ? [[key, file] as const] : [];
  });
}

const readingError = (file: string): Promise<Error | undefined> =>
  openRegularFile(file).then(
    (handle) => handle.close().then(() => undefined),
    (error: Error) => error,
  );

const fields = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Items by name; the first one of each name. */
function named(list: unknown): ReadonlyMap<string, unknown> {
  const items = new Map<string, unknown>();
  for (const one of Array.isArray(list) ? list : []) {
    const { name } = fields(one);
    if (typeof name === 'string' && name !== '' && !items.has(name)) items.set(name, one);
  }
  return items;
}

const listed = (names: readonly string[]): string =>
  names.length === 0 ? 'none' : [...names.slice(0, 10).map(shown), ...(names.length > 10 ? ['…'] : [])].join(', ');
