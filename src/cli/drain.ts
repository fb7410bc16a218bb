// `healthdns drain`, `undrain` and `force`: orders of an operator to a running server.
import type { Ordered } from '../http/drain.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { printable } from './printable.ts';
import { requestServer, type ServerFlags } from './server-request.ts';

export interface OrderOptions {
  readonly name: string;
  readonly instance: string;
  /** null: withdraw the order. */
  readonly status: 'HEALTHY' | 'UNHEALTHY' | null;
  /** undefined: until it is withdrawn. */
  readonly seconds: number | undefined;
  readonly reason: string | undefined;
  readonly server: ServerFlags;
  readonly json: boolean;
}

/** Prints the resulting state of the instances once DNS reflects it; resolves to the exit code. */
export async function order(options: OrderOptions, print: (text: string) => void): Promise<number> {
  const { server, json, ...asked } = options;
  const response = await requestServer(server, 'operator', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(asked),
  });
  const body = (await response.text()).trimEnd();
  if (response.status === 400) throw new CommandError(body, EXIT.USAGE);
  if (response.status === 404) throw new CommandError(body, EXIT.UNKNOWN_NAME);
  if (!response.ok) throw new CommandError(body);
  print(json ? body : linesOf(JSON.parse(body), options).map(printable).join('\n'));
  return EXIT.OK;
}

const KEPT: Readonly<Record<Ordered['keptIn'], string>> = {
  pod: 'stored as an annotation of the pod',
  'cloud-map': 'stored in the Cloud Map store',
  file: 'stored in the operators’ file',
  memory: 'stored in memory',
};

function linesOf({ instances, until, keptIn, remarks }: Ordered, { status }: OrderOptions): string[] {
  const what = status === null ? 'order withdrawn' : status === 'HEALTHY' ? 'forced healthy' : 'drained';
  const how =
    status === null
      ? ''
      : ` ${until === undefined ? 'until the order is withdrawn' : `until ${until}`}; ${KEPT[keptIn]}`;
  return [
    `${what}${how}`,
    ...instances.map(
      ({ service, id, addresses, answered, reason }) =>
        `  ${answered ? 'in ' : 'OUT'} ${id} (${addresses.join(', ')}) of ${service}: ${reason}`,
    ),
    ...remarks.map((remark) => `  note: ${remark}`),
  ];
}
