// A distribution's Corefile as it can be served here: other ports and addresses, nothing else.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { repository } from '../../support/command.ts';

export interface Place {
  readonly folder: string;
  readonly port: number;
  /** For health, readiness and metrics. */
  readonly httpPorts: readonly [number, number, number];
  /** Every upstream server is this one on 127.0.0.1. */
  readonly upstreamPort: number;
  readonly kubeconfig: string;
}

/** Addresses that the files bind, and what stands for them. */
const ADDRESSES: Readonly<Record<string, string>> = {
  '169.254.10.10': '127.0.0.11',
  '169.254.10.11': '127.0.0.12',
  '169.254.20.10': '127.0.0.11',
  '10.96.0.10': '127.0.0.12',
};

/** The files of a distribution by their names below the folder in which CoreDNS reads them. */
export async function filesOf(distribution: string): Promise<Record<string, string>> {
  const folder = join(repository, 'test/migrate/distributions');
  const corefile = await readFile(join(folder, `${distribution}.corefile`), 'utf8').catch(() => undefined);
  if (corefile !== undefined) return { Corefile: corefile };
  const text = await readFile(join(folder, `${distribution}.configmap.yaml`), 'utf8');
  const documents = [parseAllDocuments(text)].flat();
  const objects = documents.map((document) => document.toJS()).flatMap((object) => object.items ?? [object]);
  const entries = objects.flatMap(({ data }) => Object.entries(data as Record<string, string>));
  const nameOf = (key: string) => (/\.(override|server)$/.test(key) ? `custom/${key}` : key);
  return Object.fromEntries(entries.map(([key, value]) => [nameOf(key), value]));
}

/** Writes the files, changed for this place, and returns the Corefile's path. */
export async function writePlayable(files: Readonly<Record<string, string>>, place: Place): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(place.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(
      path,
      /Corefile|\.override|\.server/.test(name) ? playable(text, place, name.endsWith('.override')) : text,
    );
  }
  // What the hosts files of nodes have, where a distribution does not bring its own.
  if (files.NodeHosts === undefined)
    await writeFile(join(place.folder, 'NodeHosts'), '192.0.2.77 api.internal.k8s.local\n192.0.2.78 outside.example\n');
  return join(place.folder, 'Corefile');
}

/** `isInside`: the text is imported into a block. */
export function playable(text: string, place: Place, isInside = false): string {
  let depth = isInside ? 1 : 0;
  const lines = text.split('\n').flatMap((line) => {
    const opens = /\{\s*$/.test(line);
    const changed =
      depth === 0 && opens && !line.startsWith('(') ? blockHead(line, text, place) : directive(line, place);
    if (opens) depth++;
    else if (/^\s*\}\s*$/.test(line)) depth--;
    return changed;
  });
  return lines.join('\n');
}

function blockHead(line: string, text: string, { port }: Place): string[] {
  const keys = line
    .replace('{', '')
    .trim()
    .split(/[\s,]+/);
  const head = `${keys.map((key) => `${key.replace(/:\d+$/, '')}:${port}`).join(' ')} {`;
  const block = text.slice(text.indexOf(line)).split(/^\}/m)[0];
  return /^\s*bind /m.test(block) ? [head] : [head, '    bind 127.0.0.1 ::1'];
}

function directive(line: string, place: Place): string[] {
  const { httpPorts, upstreamPort, kubeconfig, folder } = place;
  const [, indent, name, rest] = /^(\s*)(\S*)(.*)$/.exec(line)!;
  const brace = rest.trimEnd().endsWith('{') ? ' {' : '';
  switch (name) {
    case 'health':
      return [`${indent}health 127.0.0.1:${httpPorts[0]}${brace}`];
    case 'ready':
      return [`${indent}ready 127.0.0.1:${httpPorts[1]}`];
    case 'prometheus':
      return [`${indent}prometheus 127.0.0.1:${httpPorts[2]}`];
    case 'bind':
      return [
        `${indent}bind ${rest
          .trim()
          .split(/\s+/)
          .map((address) => ADDRESSES[address] ?? address)
          .join(' ')}`,
      ];
    case 'forward':
      return [`${indent}forward ${rest.trim().split(/\s+/)[0]} 127.0.0.1:${upstreamPort}${brace}`];
    case 'kubernetes':
      return [line, `${indent}    kubeconfig ${kubeconfig} admin`];
    case 'hosts':
      return [line.replace(/\/\S+/, join(folder, 'NodeHosts'))];
    case 'import':
      return [line.replace('/etc/coredns/', '')];
    // Servers with certificates have tests of their own.
    case 'tls':
    case 'tls_servername':
      return [];
    default:
      return [line];
  }
}
