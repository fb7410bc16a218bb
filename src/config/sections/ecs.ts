// `ecs`: the Amazon ECS API on the HTTP address, and the engine that runs tasks.
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Reporter } from '../../reading/problem.ts';
import { choice, flag, integer, mapping, text } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { CloudMapConfig, EcsConfig, ListenAddress } from '../config.ts';
import type { CloudMapInput } from './cloud-map.ts';
import { isLoopback } from './listen.ts';
import { label } from './names.ts';

const ecsSchema = mapping(
  {
    engine: choice(
      ['kubernetes', 'processes'],
      'kubernetes: services are Deployments in the cluster of `cloudMap.store.kubernetes`. processes: tasks run as processes of this machine, for tests; images are not pulled. Anyone who may write may run pods, or commands.',
    ),
    namespace: v.optional(
      label(
        'a namespace',
        'kubernetes: namespace for Deployments, pods and the ConfigMaps of the API. Default: the namespace of the store.',
      ),
    ),
    directory: v.optional(
      text(
        'a path',
        'processes: directory for state, working directories and logs of tasks; relative to this file. Default: ./ecs.',
      ),
    ),
    drainSeconds: v.optional(
      integer(0, 3600, 'Seconds between the last answer with a task and its end. Default: the TTL of its records.'),
    ),
    reset: v.optional(
      flag('processes: enable POST /reset, which deletes all tasks, services, definitions and namespaces.'),
    ),
  },
  'The Amazon ECS API. It has the access rules of `cloudMap`; with `engine: processes` it needs a loopback address for `http`.',
);

export const ecsEntry = v.optional(ecsSchema);

type EcsInput = v.InferOutput<typeof ecsSchema>;

export function checkEcs(
  input: EcsInput,
  cloudMap: CloudMapInput | undefined,
  address: ListenAddress | undefined,
  soundness: Soundness,
  reporter: Reporter,
): void {
  if (!soundness.isContainer(['ecs'])) return;
  if (cloudMap === undefined) reporter.problem(['ecs'], '`ecs` needs `cloudMap`: services register their tasks there');
  if (!soundness.isSound(['ecs'])) return;
  const others = input.engine === 'kubernetes' ? (['directory', 'reset'] as const) : (['namespace'] as const);
  for (const key of others)
    if (input[key] !== undefined) reporter.problem(['ecs', key], `\`${key}\` is not for \`engine: ${input.engine}\``);
  if (input.engine === 'kubernetes') {
    const store = soundness.isSound(['cloudMap', 'store']) ? cloudMap?.store : undefined;
    if (cloudMap !== undefined && soundness.isSound(['cloudMap']) && typeof store !== 'object')
      reporter.problem(['ecs', 'engine'], '`engine: kubernetes` needs `cloudMap.store.kubernetes`');
    else if (typeof store === 'object' && store.kubernetes === undefined)
      reporter.problem(['ecs', 'engine'], '`engine: kubernetes` needs `cloudMap.store.kubernetes`');
    return;
  }
  if (address !== undefined && !isLoopback(address.address))
    reporter.problem(
      ['ecs'],
      `\`ecs\` runs commands for its clients: the HTTP address must be loopback, not ${address.address}`,
    );
}

export function buildEcs(input: EcsInput, folder: string, cloudMap: CloudMapConfig | undefined): EcsConfig {
  const { engine, namespace, directory = './ecs', drainSeconds, reset = false } = input;
  const drain = drainSeconds === undefined ? {} : { drainSeconds };
  if (engine === 'processes') return { engine, directory: resolve(folder, directory), reset, ...drain };
  const ofStore = cloudMap?.store.kind === 'kubernetes' ? cloudMap.store.namespace : '';
  return { engine, namespace: namespace?.toLowerCase() ?? ofStore, ...drain };
}
