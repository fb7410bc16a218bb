import { stringify } from 'yaml';
import { type DeploymentOptions, deploymentOf } from './deployment.ts';
import { parseTaskDefinition, TaskDefinitionError } from './task-definition.ts';

export interface ConvertOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: 0 | 1;
}

/**
 * The logic of `healthdns taskdef convert`: task definition JSON in, a manifest for `kubectl apply -f -` out, warnings
 * on stderr. Exit code 1 with one line per problem if the definition is invalid.
 */
export function convertTaskDefinition(
  json: string,
  fileName: string,
  options: DeploymentOptions & { readonly format: 'yaml' | 'json' },
): ConvertOutput {
  try {
    const { manifest, warnings } = deploymentOf(parseTaskDefinition(json), options);
    const stdout =
      options.format === 'json'
        ? `${JSON.stringify(manifest, undefined, 2)}\n`
        : stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 });
    return { stdout, stderr: warnings.map((warning) => `warning: ${warning}\n`).join(''), exitCode: 0 };
  } catch (error) {
    if (!(error instanceof TaskDefinitionError)) throw error;
    return { stdout: '', stderr: error.problems.map((problem) => `${fileName}: ${problem}\n`).join(''), exitCode: 1 };
  }
}
