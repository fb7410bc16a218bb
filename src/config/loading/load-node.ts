// The file of `healthdns node` → NodeConfig, or all its problems. Its sections are those of zones.yaml where they have the same
// name.
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { formatProblem, type Problem } from '../../reading/problem.ts';
import { choice, list, mapping } from '../../reading/shape.ts';
import { readTextFile } from '../../reading/text-file.ts';
import type { NodeConfig } from '../node-config.ts';
import { answeringEntries, checkAnswering, forwardSettings } from '../sections/answering.ts';
import { buildDns64 } from '../sections/forward-local.ts';
import { buildFront } from '../sections/front.ts';
import { buildHttp, checkListen, httpEntry, listenEntry, parseListenAddress } from '../sections/listen.ts';
import { absoluteName, domainName } from '../sections/names.ts';
import { buildHold, buildReplicas, checkReplicas, holdEntry, replicasEntry } from '../sections/replicas.ts';
import { buildServer, limitsEntry, serverEntry } from '../sections/server.ts';
import { readWithIncludes, type WholeFile } from './include.ts';
import { readShape, sorted } from './load.ts';

// The search path requires all names of a zone.
const { autopath: _, ...entries } = answeringEntries;

export const nodeFileSchema = mapping(
  {
    listen: listenEntry,
    http: httpEntry,
    logLevel: v.optional(
      choice(['debug', 'info', 'warn', 'error', 'silent'], 'Least severe level that is logged to stderr.'),
      'info',
    ),
    zones: list(domainName('a zone', 'A zone.'), 'The zones of the replicas, reverse zones included.'),
    replicas: replicasEntry,
    hold: holdEntry,
    server: serverEntry,
    limits: limitsEntry,
    ...entries,
  },
  'Configuration of healthdns node.',
);

export type NodeLoadResult =
  | { readonly ok: true; readonly config: NodeConfig; readonly warnings: readonly string[] }
  /** Each as file:line:column: message. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Never throws for the content of the file or the disk. */
export async function loadNodeConfig(path: string): Promise<NodeLoadResult> {
  const read = await readTextFile(path);
  if (!('text' in read)) return { ok: false, problems: [`${path}:1:1: ${read.problem}`] };
  const whole = await readWithIncludes(read.text, path, (name) => process.env[name]);
  if (whole.problems.length > 0) return failed(whole.problems.map((problem) => ({ path: '', ...problem })));
  if (whole.value === null) return { ok: false, problems: [`${path}:1:1: the file is empty: expected \`zones\``] };
  return check(whole, resolve(path));
}

function check(whole: WholeFile, file: string): NodeLoadResult {
  const folder = dirname(file);
  const { output, soundness, problems, warnings, reporter } = readShape(nodeFileSchema, whole);
  if (!soundness.isContainer([])) return failed(problems);
  const { isSound } = soundness;
  if (isSound(['listen'])) checkListen(output.listen, isSound(['http']) && output.http, reporter);
  if (isSound(['zones']) && output.zones.length === 0)
    reporter.problem(['zones'], '`zones` is empty: expected at least one zone of the replicas');
  if (isSound(['replicas'])) checkReplicas(output.replicas, folder, reporter);
  const answering = { ...output, autopath: undefined };
  checkAnswering(answering, folder, (key) => isSound([key]), reporter);
  if (problems.length > 0) return failed(problems);
  const limits = { ...output.limits, errorText: output.server.errorText };
  const config: NodeConfig = {
    file,
    listen: [output.listen].flat().map(parseListenAddress),
    http: buildHttp(output.http),
    logLevel: output.logLevel,
    zones: output.zones.map((zone) => absoluteName(zone)),
    replicas: buildReplicas(output.replicas, folder),
    hold: buildHold(output.hold),
    server: buildServer(output.server),
    limits: output.limits,
    forward: forwardSettings(answering, limits, folder),
    front: buildFront(answering, buildDns64(answering), [], reporter),
  };
  return { ok: true, config, warnings: sorted(warnings).map(formatProblem) };
}

const failed = (problems: readonly Problem[]): NodeLoadResult => ({
  ok: false,
  problems: sorted(problems).map(formatProblem),
});
