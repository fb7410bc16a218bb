// `healthdns explain --config`: asks a running server for its configuration.
import type { ConfigStatus } from '../config/in-force.ts';
import { describeConfig } from '../config/in-force.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { requestServer, type ServerFlags } from './server-request.ts';

/** Prints it; resolves to the exit code: 1 if the file on disk was refused. Throws CommandError if there is no reply. */
export async function explainConfig(
  server: ServerFlags,
  asJson: boolean,
  print: (text: string) => void,
): Promise<number> {
  const response = await requestServer(server, 'config');
  if (response.status !== 200)
    throw new CommandError(
      `${server.http} does not tell its configuration (${response.status}): is it the \`admin\` address of healthdns?`,
    );
  const status = (await response.json()) as ConfigStatus;
  for (const line of asJson ? [JSON.stringify(status, null, 2)] : describeConfig(status)) print(line);
  return status.refused === undefined ? EXIT.OK : EXIT.FAILED;
}
