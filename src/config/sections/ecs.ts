// `ecs`: the Amazon ECS API on the HTTP address, and the engine that runs tasks.
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Reporter } from '../../reading/problem.ts';
import { choice, flag, integer, mapping, text } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { EcsConfig, ListenAddress } from '../config.ts';
import { isLoopback } from './listen.ts';

const ecsSchema = mapping(
  {
    engine: choice(
      ['processes'],
      'processes: tasks run as processes of this machine, for tests; images are not pulled. Anyone who may write may run commands.',
    ),
    directory: v.optional(
      text('a path', 'Directory for state, working directories and logs of tasks; relative to this file.'),
      './ecs',
    ),
    drainSeconds: v.optional(
      integer(0, 3600, 'Seconds between the last answer with a task and its end. Default: the TTL of its records.'),
    ),
    reset: v.optional(
      flag('Enable POST /reset, which deletes all tasks, services, definitions and namespaces.'),
      false,
    ),
  },
  'The Amazon ECS API. It has the access rules of `cloudMap` and needs a loopback address for `http`.',
);

export const ecsEntry = v.optional(ecsSchema);

type EcsInput = v.InferOutput<typeof ecsSchema>;

export function checkEcs(
  hasCloudMap: boolean,
  address: ListenAddress | undefined,
  soundness: Soundness,
  reporter: Reporter,
): void {
  if (!soundness.isContainer(['ecs'])) return;
  if (!hasCloudMap) reporter.problem(['ecs'], '`ecs` needs `cloudMap`: services register their tasks there');
  if (address !== undefined && !isLoopback(address.address))
    reporter.problem(
      ['ecs'],
      `\`ecs\` runs commands for its clients: the HTTP address must be loopback, not ${address.address}`,
    );
}

export const buildEcs = ({ engine, directory, drainSeconds, reset }: EcsInput, folder: string): EcsConfig => ({
  engine,
  directory: resolve(folder, directory),
  ...(drainSeconds !== undefined && { drainSeconds }),
  reset,
});
