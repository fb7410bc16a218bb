// `healthdns migrate`: a CoreDNS or kube-dns configuration becomes zones.yaml, with a report on each of its lines.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseConfig } from '../config/loading/load.ts';
import { formatProblem } from '../reading/problem.ts';
import type { Finding } from './draft.ts';
import { InputError, readMigrationInput } from './input.ts';
import { corefileOfKubeDns } from './kube-dns.ts';
import { type Migration, migrateCorefile } from './translate.ts';

export interface MigrateOptions {
  /** Where the text comes from; "-" is standard input. */
  readonly file: string;
  readonly text: string;
  /** Where zones.yaml is written; undefined: standard output. */
  readonly output: string | undefined;
  /** The cluster's domain, which kube-dns's ConfigMap does not contain. */
  readonly clusterDomain: string;
  /** {$NAME} stays as it is. */
  readonly keepEnvironment: boolean;
  readonly report: 'text' | 'json';
}

export interface MigrateEnvironment {
  readonly variable: (name: string) => string | undefined;
  /** zones.yaml, line by line. */
  out(line: string): void;
  /** The report, line by line. */
  err(line: string): void;
}

/** 0: answers stay the same; 1: nothing could be read; 3: something changes; 4: something has no equivalent. */
export type MigrateExit = 0 | 1 | 3 | 4;

export async function migrate(options: MigrateOptions, io: MigrateEnvironment): Promise<MigrateExit> {
  let migration: Migration;
  try {
    migration = translateInput(options, io);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    io.err(`healthdns: ${error.message}`);
    return 1;
  }
  const refused = migration.zonesYaml === undefined ? [] : await problemsOf(migration.zonesYaml, options);
  if (migration.zonesYaml !== undefined) {
    if (options.output === undefined) io.out(migration.zonesYaml.trimEnd());
    else await writeFile(options.output, migration.zonesYaml);
  }
  if (options.report === 'json')
    io.err(JSON.stringify({ findings: migration.findings, problems: migration.problems, check: refused }));
  else for (const line of reportLines(migration, refused, options)) io.err(onOneLine(line));
  return exitCode(migration, refused);
}

function translateInput(options: MigrateOptions, io: MigrateEnvironment): Migration {
  const environment = options.keepEnvironment ? () => undefined : io.variable;
  const input = readMigrationInput(options.text, options.file, environment);
  if (input.kind === 'corefile') return migrateCorefile(input.text, input.file, input.sources);
  const { corefile, problems } = corefileOfKubeDns(input.data, options.clusterDomain);
  const migration = migrateCorefile(corefile, input.file, { environment: () => undefined, filesOf: () => [] });
  return {
    ...migration,
    problems: [...problems.map((text) => ({ at: { file: input.file, line: 1 }, text })), ...migration.problems],
  };
}

/** What `healthdns check` says of the result; paths are relative to where it is written. */
async function problemsOf(zonesYaml: string, options: MigrateOptions): Promise<string[]> {
  const result = await parseConfig(zonesYaml, resolve(options.output ?? 'zones.yaml'));
  return result.ok
    ? []
    : result.problems.map((problem) => formatProblem({ ...problem, file: options.output ?? 'zones.yaml' }));
}

const HEADINGS: Readonly<Record<Finding['outcome'], string>> = {
  same: 'The same',
  changed: 'Different',
  dropped: 'Without an equivalent',
};

function reportLines(
  { findings, problems, zonesYaml }: Migration,
  refused: readonly string[],
  options: MigrateOptions,
): string[] {
  const section = (outcome: Finding['outcome']) => {
    const lines = findings.filter((finding) => finding.outcome === outcome).map(formatFinding);
    return lines.length === 0 ? [] : [`${HEADINGS[outcome]}:`, ...lines.map((line) => `  ${line}`), ''];
  };
  return [
    ...(problems.length > 0
      ? ['Not read:', ...problems.map(({ at, text }) => `  ${at.file}:${at.line}: ${text}`), '']
      : []),
    ...section('same'),
    ...section('changed'),
    ...section('dropped'),
    ...(refused.length > 0
      ? ['Must be corrected before it can be served:', ...refused.map((line) => `  ${line}`), '']
      : []),
    zonesYaml === undefined
      ? 'healthdns: no server block could be read, so there is no zones.yaml'
      : `${summaryOf(findings)} Next: healthdns check ${options.output ?? 'zones.yaml'}`,
  ];
}

/** What a Corefile quotes may contain line breaks and escape sequences of terminals. */
function onOneLine(line: string): string {
  return line.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

function formatFinding({ at, directive, text, differences }: Finding): string {
  const ids = differences.length === 0 ? '' : ` [${differences.join(', ')}]`;
  return `${at.file}:${at.line}: ${directive}: ${text}${ids}`;
}

function summaryOf(findings: readonly Finding[]): string {
  const count = (outcome: Finding['outcome']) => findings.filter((finding) => finding.outcome === outcome).length;
  return `${count('same')} lines the same, ${count('changed')} different, ${count('dropped')} without an equivalent. [ids]: docs/differences-from-coredns.md.`;
}

function exitCode({ zonesYaml, findings, problems }: Migration, refused: readonly string[]): MigrateExit {
  if (zonesYaml === undefined) return 1;
  if (problems.length > 0 || refused.length > 0 || findings.some(({ outcome }) => outcome === 'dropped')) return 4;
  return findings.some(({ outcome }) => outcome === 'changed') ? 3 : 0;
}
