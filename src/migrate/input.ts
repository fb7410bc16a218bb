// The input of `healthdns migrate`: a Corefile, or a ConfigMap as kubectl prints it, with a Corefile or kube-dns's settings.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { readRegularFileSync } from '../native/regular-file.ts';
import { COREFILE_LIMITS, type CorefileSources, type ImportedFile } from './corefile.ts';

/** A problem with the whole input; the message contains the input and what to do. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

export type MigrationInput =
  | { readonly kind: 'corefile'; readonly text: string; readonly file: string; readonly sources: CorefileSources }
  | { readonly kind: 'kube-dns'; readonly data: Readonly<Record<string, string>>; readonly file: string };

interface ConfigMap {
  readonly name: string;
  readonly data: Readonly<Record<string, string>>;
}

/**
 * What `text`, the content of the file `path` ("-": of standard input), is. Imports are read from beside the file, or from
 * further ConfigMaps of the same input: AKS and k3s mount the keys of coredns-custom as custom/NAME. Throws InputError.
 */
export function readMigrationInput(
  text: string,
  path: string,
  environment: (name: string) => string | undefined,
): MigrationInput {
  if (text.length > COREFILE_LIMITS.bytes) throw new InputError(`${path}: larger than ${COREFILE_LIMITS.bytes} bytes`);
  if (text.trim() === '') throw new InputError(`${nameOf(path)}: empty`);
  refuseBinary(text, nameOf(path));
  const maps = configMapsOf(text, path);
  if (maps === undefined) {
    const folder = path === '-' ? process.cwd() : dirname(resolve(path));
    return { kind: 'corefile', text, file: nameOf(path), sources: { environment, filesOf: importsFrom(folder) } };
  }
  const main = maps.find(({ data }) => data.Corefile !== undefined);
  if (main !== undefined) {
    const sources = { environment, filesOf: importsAmong(maps) };
    return { kind: 'corefile', text: main.data.Corefile, file: 'Corefile', sources };
  }
  const kubeDns = maps.find(({ data }) => data.stubDomains !== undefined || data.upstreamNameservers !== undefined);
  if (kubeDns !== undefined) return { kind: 'kube-dns', data: kubeDns.data, file: nameOf(path) };
  const names = maps.map(({ name }) => `"${name}"`).join(', ');
  throw new InputError(
    maps.length === 0
      ? `${nameOf(path)}: contains no ConfigMap`
      : `${nameOf(path)}: the ConfigMap ${names} has neither a key Corefile nor stubDomains or upstreamNameservers`,
  );
}

function nameOf(path: string): string {
  return path === '-' ? 'Corefile' : path;
}

/** PowerShell redirects what kubectl prints to files in UTF-16. */
function refuseBinary(text: string, file: string): void {
  const nul = text.indexOf('\0');
  if (nul < 0) return;
  const line = text.slice(0, nul).split('\n').length;
  throw new InputError(
    `${file}:${line}: not text in UTF-8: contains NUL; convert UTF-16 with iconv -f UTF-16 -t UTF-8`,
  );
}

/** The ConfigMaps in YAML or JSON; undefined where the text is no object of Kubernetes, and then is a Corefile. */
function configMapsOf(text: string, path: string): ConfigMap[] | undefined {
  if (!/^\s*(\{\s*"|apiVersion:|kind:|---)/m.test(text) || !/"?kind"?\s*:\s*"?[A-Z]/.test(text)) return undefined;
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return undefined;
  const problem = documents.flatMap(({ errors }) => errors)[0];
  if (problem !== undefined)
    throw new InputError(`${path}: not a ConfigMap in YAML or JSON: ${problem.message.split('\n')[0]}`);
  const objects = documents.map((document) => document.toJS({ maxAliasCount: 0 }) as KubernetesObject | null);
  return objects
    .flatMap((object): readonly (KubernetesObject | null)[] => object?.items ?? [object])
    .filter((object) => object !== null && object?.kind === 'ConfigMap')
    .map((object) => ({ name: String(object!.metadata?.name ?? ''), data: textsOf(object!.data) }));
}

interface KubernetesObject {
  readonly kind?: unknown;
  readonly metadata?: { readonly name?: unknown };
  readonly data?: unknown;
  readonly items?: readonly KubernetesObject[];
}

function textsOf(data: unknown): Record<string, string> {
  if (typeof data !== 'object' || data === null) return {};
  return Object.fromEntries(
    Object.entries(data).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** Files on disk, relative to the importing file or to `folder`. */
function importsFrom(folder: string): CorefileSources['filesOf'] {
  return (pattern, importingFile) => {
    const base = importingFile.includes('/') ? dirname(resolve(importingFile)) : folder;
    return matchingPaths(resolve(base, pattern))
      .filter((path) => !isFolder(path))
      .map(importedFile);
  };
}

function importedFile(path: string): ImportedFile {
  const file = relative(process.cwd(), path);
  try {
    const { size } = statSync(path);
    if (size > COREFILE_LIMITS.bytes) return { file, unreadable: `larger than ${COREFILE_LIMITS.bytes} bytes` };
    const text = readRegularFileSync(path);
    return text.includes('\0') ? { file, unreadable: 'not text in UTF-8: contains NUL' } : { file, text };
  } catch (error) {
    return { file, unreadable: (error as Error).message };
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The paths that exist and match, segment by segment, in the order of their names. */
function matchingPaths(pattern: string): string[] {
  const segments = pattern.split('/').filter((segment) => segment !== '');
  return segments.reduce<string[]>(
    (paths, segment) =>
      /[*?[]/.test(segment)
        ? paths.flatMap((path) =>
            namesIn(path)
              .filter(isMatch(segment))
              .map((name) => join(path, name)),
          )
        : paths.map((path) => join(path, segment)).filter((path) => existsSync(path)),
    ['/'],
  );
}

function namesIn(path: string): string[] {
  return isFolder(path) ? readdirSync(path).sort() : [];
}

/** filepath.Match of Go for one segment: *, ? and [classes]. A class that is not one, such as [z-a], matches nothing. */
function isMatch(glob: string): (name: string) => boolean {
  const source = glob.replaceAll(/\[[^\]]*\]|[\s\S]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.length > 1 ? part : part.replace(/[.+^${}()|\\[\]]/, '\\$&');
  });
  try {
    const pattern = new RegExp(`^${source}$`);
    return (name) => pattern.test(name);
  } catch {
    return () => false;
  }
}

/** The content of other ConfigMaps, under the folder in which distributions mount it. */
function importsAmong(maps: readonly ConfigMap[]): CorefileSources['filesOf'] {
  const files = maps.flatMap(({ data }) => Object.entries(data)).filter(([name]) => name !== 'Corefile');
  return (pattern) => {
    const matches = isMatch(basename(pattern));
    return files
      .filter(([name]) => matches(name))
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([file, text]) => ({ file, text }));
  };
}
