// node scripts/release-version.mjs vX.Y.Z: checks that every place that names the version says X.Y.Z, and prints its section of
// the CHANGELOG. docs/releasing.md lists the places.
import { readFile } from 'node:fs/promises';

const [tag] = process.argv.slice(2);
const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag ?? '')?.[1];
if (version === undefined) fail([`usage: node scripts/release-version.mjs vX.Y.Z (got ${tag ?? 'nothing'})`]);

const PLACES = [
  ['package.json', /^ {2}"version": "(.+)"/m],
  ['package-lock.json', /^ {2}"version": "(.+)"/m],
  ['src/version.ts', /VERSION = '(.+)'/],
  ['deploy/helm/healthdns/Chart.yaml', /^version: "?([^"\s]+)/m],
  ['deploy/helm/healthdns/Chart.yaml', /^appVersion: "?([^"\s]+)/m],
  ['deploy/healthdns.yaml', /image: .*healthdns:(\S+)/],
];
const problems = [];
for (const [file, pattern] of PLACES) {
  const found = pattern.exec(await readFile(file, 'utf8'))?.[1];
  if (found !== version) problems.push(`${file}: ${found ?? 'no version'} where ${version} is released`);
}
const changelog = await readFile('CHANGELOG.md', 'utf8');
const section = changelog.split(/^(?=## )/m).find((text) => text.startsWith(`## ${version} (`));
if (section === undefined) problems.push(`CHANGELOG.md: no section "## ${version} (YYYY-MM-DD)"`);
if (problems.length > 0) fail(problems);
console.log(section.slice(section.indexOf('\n')).trim());

function fail(lines) {
  for (const line of lines) console.error(line);
  process.exit(1);
}
