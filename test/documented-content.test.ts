// What the documents tell people to type exists: configurations, commands and their options, metrics, values of the chart.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { parse, parseAllDocuments } from 'yaml';
import { program } from '../src/cli/program.ts';
import { parseConfig } from '../src/config/loading/load.ts';
import { formatProblem } from '../src/reading/problem.ts';
import { repository } from './support/command.ts';

const read = (file: string) => readFileSync(join(repository, file), 'utf8');
const documents = ['README.md', ...readdirSync(join(repository, 'docs')).map((file) => `docs/${file}`)].filter((file) =>
  file.endsWith('.md'),
);

interface Block {
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

const blocks: readonly Block[] = documents.flatMap((document) =>
  [...read(document).matchAll(/^```(\S*)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    ...{ document, language: language!, text: text! },
  })),
);

/** What can be typed: fenced blocks of shell, lines after a prompt, and indented lines. */
const typed: readonly { readonly document: string; readonly line: string }[] = documents.flatMap((document) => {
  const shell = blocks.filter((one) => one.document === document && ['sh', 'console'].includes(one.language));
  const indented = [...read(document).matchAll(/(?<=\n\n)(?: {4}\S.*\n)+/g)].map(([text]) => text);
  return [...shell.map(({ text }) => text), ...indented]
    .flatMap((text) => text.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map((line) => ({ document, line: line.trim() }));
});

test('every configuration is accepted, except for files that it only names', async () => {
  const keys = new Set(Object.keys(JSON.parse(read('zones.schema.json')).properties));
  let accepted = 0;
  for (const { document, text } of blocks.filter(({ language }) => language === 'yaml')) {
    const [first] = parseAllDocuments(text, { uniqueKeys: false });
    assert.deepEqual(first!.errors, [], `${document}:\n${text}`);
    const top = Object.keys(first!.toJS() ?? {});
    if (!top.every((key) => keys.has(key))) continue; // Kubernetes objects, and parts of the file
    const whole = top.includes('zones') ? text : `${text}\nzones: [{ name: example.test }]\n`;
    const result = await parseConfig(whole, '/etc/healthdns/zones.yaml', () => '192.0.2.53');
    const problems = result.ok ? [] : result.problems.map(formatProblem);
    assert.deepEqual(
      problems.filter(
        (problem) =>
          !/\/etc\/healthdns\/|no such file|does not exist|cannot be read/.test(
            problem.replace('/etc/healthdns/zones.yaml', ''),
          ),
      ),
      [],
      `${document}:\n${text}`,
    );
    accepted++;
  }
  assert.ok(accepted >= 20, `${accepted} configurations`);
});

/** The words of a healthdns command in a line of shell, up to a pipe or a comment; of a synopsis, what is not optional. */
function commandIn(line: string): string[] | undefined {
  const [, rest] =
    /^(?:\$ )?(?:kubectl\b.* -- |docker exec (?:-e \S+ )?\S+ )?(?:bin\/)?healthdns ([a-z].*)$/.exec(line) ?? [];
  if (rest === undefined) return undefined;
  let required = rest.replace(/\s+[|#>].*$/, '');
  while (/\[[^[\]]*\]…?/.test(required)) required = required.replace(/\[[^[\]]*\]…?/, '');
  const words = [...required.matchAll(/'([^']*)'|(<\([^)]*\)|\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
  return words.map((word) => (/^[a-z]+(\|[a-z]+)+$/.test(word) ? word.split('|')[0]! : (PLACEHOLDERS[word] ?? word)));
}

/** What a reader puts in the place of words whose form the program checks. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  ADDRESS: '192.0.2.1',
  'ADDRESS:PORT': '192.0.2.1:53',
  'arn:…': 'arn:aws:servicediscovery:us-east-1:000000000000:service/srv-1',
  'arn:…:service/srv-…': 'arn:aws:servicediscovery:us-east-1:000000000000:service/srv-1',
};

/** In sentences and tables; the bare name of a command is no invocation. */
const named = documents.flatMap((document) =>
  [
    ...read(document)
      .replaceAll(/^```.*?^```$/gms, '')
      .matchAll(/`((?:bin\/)?healthdns [a-z][^`]*)`/g),
  ].map(([, line]) => ({
    ...{ document, line: line!.replaceAll(/\s+/g, ' ') },
  })),
);

test('every command exists, and has the arguments and options that are shown', async () => {
  program.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  const bare = new Set<string>();
  const withoutActions = (command: Command, path: string) => {
    bare.add(path);
    command.action(() => {}).configureOutput({ writeErr: () => {}, writeOut: () => {}, outputError: () => {} });
    for (const one of command.commands) withoutActions(one, `${path} ${one.name()}`.trim());
  };
  for (const command of program.commands) withoutActions(command, command.name());
  const commandOf = (words: readonly string[], among: Command = program): Command => {
    const next = among.commands.find((one) => one.name() === words[0]);
    return next === undefined ? among : commandOf(words.slice(1), next);
  };
  const refused: string[] = [];
  let checked = 0;
  for (const { document, line } of [...typed, ...named]) {
    const words = commandIn(line);
    if (words === undefined || (bare.has(words.join(' ')) && !typed.some((one) => one.line === line))) continue;
    checked++;
    await program.parseAsync(words, { from: 'user' }).catch((error) => refused.push(`${document}: ${line}: ${error}`));
    const known = commandOf(words).options.map(({ long }) => long);
    for (const [option] of line.slice(line.indexOf('healthdns')).matchAll(/(?<=[\s[])--[a-z][a-z-]*/g))
      if (!known.includes(option)) refused.push(`${document}: ${line}: no option ${option}`);
  }
  assert.deepEqual(refused, []);
  assert.ok(checked >= 80, `${checked} commands`);
});

test('every metric that is named exists', () => {
  const listed = new Set([...read('docs/metrics.md').matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name!));
  for (const document of documents)
    for (const [name] of read(document).matchAll(/\bhealthdns_[a-z_]*[a-z]\b/g)) {
      const family = name.replace(/_(?:bucket|sum|count)$/, '');
      assert.ok(listed.has(name) || listed.has(family), `${document}: ${name}`);
    }
});

test('every value of the chart and every file of deploy/ that is named exists', () => {
  const values = parse(read('deploy/helm/healthdns/values.yaml'));
  // Keys of zones.yaml are values without a default.
  const schema = read('deploy/helm/healthdns/values.schema.json');
  for (const document of documents) {
    const text = read(document);
    for (const [, path] of text.matchAll(/--set[= ]([A-Za-z.]+)=/g)) {
      const [first, ...more] = path!.split('.');
      assert.ok(first! in values, `${document}: --set ${path}`);
      for (const key of more) assert.ok(schema.includes(`"${key}":`), `${document}: --set ${path}`);
    }
    for (const [file] of text.matchAll(/(?<![\w/.-])deploy\/(?:[\w./-]+\.(?:yaml|json)|helm\/[\w/-]+|Dockerfile)/g))
      assert.ok(existsSync(join(repository, file)), `${document}: ${file}`);
  }
});

test('the HTTP API that is documented is the one that is served', () => {
  const served = new Set<string>();
  const folder = join(repository, 'src/http');
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.ts'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, path, method] of text.matchAll(/path: '(\/[^']*)',\s*methods: \['([A-Z]+)'\]/g))
      served.add(`${method} ${path}`);
    for (const [, path] of text.matchAll(/endpoint\('(\/[^']*)'/g)) served.add(`POST ${path}`); // of AWS
  }
  const listed = [...read('docs/http-api.md').matchAll(/^\| (GET|POST) \| `([^`]+)`/gm)].map(
    ([, method, path]) => `${method} ${path!.replace('NAME', '')}`,
  );
  assert.ok(served.size > 15);
  assert.deepEqual(listed.sort(), [...served].sort());
});
