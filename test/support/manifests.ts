// What deploy/ has, read as its users' tools read it.
import { execFile } from 'node:child_process';
import { cp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { repository } from './command.ts';

const run = promisify(execFile);
const chart = join(repository, 'deploy/helm/healthdns');

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes objects of any kind; tests look at what they need
export type Manifest = any;

/** The objects of a file of deploy/. */
export async function manifestsOf(file: string): Promise<Manifest[]> {
  return objectsIn(await readFile(join(repository, 'deploy', file), 'utf8'));
}

/** The objects of the chart with these values, as release "healthdns" in kube-system. */
export async function chartObjects(values: object = {}): Promise<Manifest[]> {
  return objectsIn(await helm('template', 'healthdns', chart, '-n', 'kube-system', ...KUBERNETES, ...set(values)));
}

/** What `helm install` prints in the end, which `helm template` does not show: rendered as an object of a copy in `folder`. */
export async function notesOfChart(folder: string, values: object = {}): Promise<string> {
  await cp(chart, folder, { recursive: true });
  await rename(join(folder, 'templates/NOTES.txt'), join(folder, 'notes'));
  await writeFile(
    join(folder, 'templates/notes.yaml'),
    'kind: Notes\ntext: |\n{{ tpl (.Files.Get "notes") . | indent 2 }}\n',
  );
  const show = ['-n', 'kube-system', '--show-only', 'templates/notes.yaml'];
  const [notes] = objectsIn(await helm('template', 'healthdns', folder, ...show, ...KUBERNETES, ...set(values)));
  return notes.text;
}

/** A helm that is not asked about a cluster thinks of the Kubernetes version that it was built with. */
const KUBERNETES = ['--kube-version', '1.33.0'];

const set = (values: object): string[] =>
  Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]);

const objectsIn = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS())
    .filter((object) => object !== null);

export const ofKind = (objects: readonly Manifest[], kind: string): Manifest =>
  objects.find((object) => object.kind === kind);

export const lintChart = (values: object = {}): Promise<string> => helm('lint', '--strict', chart, ...set(values));

/** Rejects with helm's stderr in the message. */
async function helm(...args: string[]): Promise<string> {
  const { stdout } = await run(join(process.env.KUBEBUILDER_ASSETS ?? '', 'helm'), args);
  return stdout;
}

/** kubectl and helm of a cluster: `cluster('kubectl', 'apply', …)` gives stdout. */
export function clusterTools(kubeconfig: string, home: string) {
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: home };
  return async (program: 'kubectl' | 'helm', ...args: string[]): Promise<string> => {
    const { stdout } = await run(join(process.env.KUBEBUILDER_ASSETS ?? '', program), args, { env, cwd: repository });
    return stdout;
  };
}
