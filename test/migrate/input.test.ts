// What people hand to `healthdns migrate` that is no Corefile, or has imports that cannot be read.
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { COREFILE_LIMITS } from '../../src/migrate/corefile.ts';
import { migrate } from '../../src/migrate/migrate.ts';
import { temporaryFolder } from '../support/command.ts';

async function migrated(context: TestContext, text: string, files: Readonly<Record<string, string>> = {}) {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'custom'));
  await symlink('absent', join(folder, 'custom/dangling.override'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const out: string[] = [];
  const report: string[] = [];
  const exit = await migrate(
    {
      file: join(folder, 'Corefile'),
      text,
      output: undefined,
      clusterDomain: 'cluster.local',
      keepEnvironment: false,
      report: 'text',
    },
    { out: (line) => out.push(line), err: (line) => report.push(line), variable: () => undefined },
  );
  return { exit, out: out.join('\n'), report: report.join('\n').replaceAll(`${folder}/`, '') };
}

const refused: Readonly<Record<string, readonly [text: string, report: RegExp]>> = {
  'an empty file': [' \n', /^healthdns: Corefile: empty$/],
  'a file of comments': ['# .:53\n', /^healthdns: no server block could be read/],
  'UTF-16, as PowerShell writes it': [
    Buffer.from('\ufeff.:53 {\n  errors\n}\n', 'utf16le').toString('utf8'),
    /^healthdns: Corefile:1: not text in UTF-8: contains NUL; convert UTF-16 with iconv/,
  ],
  'another object of Kubernetes': [
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: coredns }\n',
    /^healthdns: Corefile: contains no ConfigMap$/,
  ],
};

for (const [name, [text, report]] of Object.entries(refused))
  test(`${name} is refused with the reason`, async (context) => {
    const result = await migrated(context, text);
    assert.match(result.report, report);
    assert.deepEqual([result.exit, result.out], [1, '']);
  });

test('imports that cannot be read are reported, and the rest is used', async (context) => {
  const text = '.:53 {\n  import custom/*.override\n  import custom/[z-a]\n  import big\n  forward . 192.0.2.1\n}\n';
  const files = { 'custom/b.override': 'log', big: '#'.repeat(COREFILE_LIMITS.bytes + 1) };
  const { exit, out, report } = await migrated(context, text, files);
  assert.match(report, /Corefile:2: imports \S*custom\/dangling\.override, which cannot be read: ENOENT/);
  assert.match(report, /Corefile:4: imports \S*big, which cannot be read: larger than 4194304 bytes/);
  assert.match(out, /queryLog: true/);
  assert.equal(exit, 4);
});

test('the report has no line breaks and escape sequences from the Corefile', async (context) => {
  const { report } = await migrated(context, '.:53 {\n  log "\u001b[2J"\n  forward . "192.0.2.1\n}\n"\n}\n');
  assert.match(report, /Corefile:2: log \\u001b\[2J/);
  assert.match(report, /Corefile:3: .* are forwarded to 192\.0\.2\.1\\u000a\}\\u000a/);
});
