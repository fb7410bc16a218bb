// The Cloud Map API on the HTTP address.
import type { Api } from '../cloudmap/api.ts';
import { AwsError } from '../cloudmap/aws-error.ts';
import { callOperation, operationWrites } from '../cloudmap/operations/call-operation.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type AwsProtocol, awsJson, rpcV2Cbor } from './aws-protocol.ts';
import { type AccessKey, checkSignature } from './aws-signature.ts';
import type { Endpoint, HttpRequest, HttpResponse } from './endpoint.ts';
import { refusalOfWrite } from './writes.ts';

export interface CloudMapEndpointOptions {
  readonly api: Api;
  /** off: read-only. loopback: anyone who reaches the loopback address may write. signed: with one of the keys. */
  readonly writes: 'off' | 'loopback' | 'signed';
  readonly keys: readonly AccessKey[];
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Resolves when DNS reflects all writes so far; awaited before a write is acknowledged. */
  readonly published?: () => Promise<void>;
}

/** POST / (AWS JSON 1.1) and POST /service/ (RPC v2 CBOR). */
export function cloudMapEndpoints(options: CloudMapEndpointOptions): Endpoint[] {
  const calls = options.metrics.counter('healthdns_cloudmap_requests_total');
  const endpoint = (path: string, protocol: AwsProtocol): Endpoint => ({
    path,
    methods: ['POST'],
    tooLarge(limitBytes) {
      const message = `the body may have at most ${limitBytes} bytes`;
      calls.inc(1, 'unknown', 'RequestEntityTooLargeException');
      return protocol.failure(new AwsError('RequestEntityTooLargeException', message));
    },
    async handle(request) {
      // Unknown names share one label value, so that clients cannot grow the metrics.
      let operation = 'unknown';
      const respond = (result: string, response: HttpResponse) => {
        calls.inc(1, operation, result);
        return response;
      };
      try {
        const name = protocol.operation(request);
        const writes = operationWrites(name);
        operation = name;
        if (writes) await authorize(request, `${path}${request.rest}`, options);
        const output = await callOperation(options.api, name, protocol.input(request));
        // The write is durable even if publishing fails, which is logged there.
        if (writes) await options.published?.().catch(() => {});
        return respond('ok', protocol.success(output));
      } catch (error) {
        const known = error instanceof AwsError ? error : internalFailure(error, operation, options.log);
        return respond(known.code, protocol.failure(known));
      }
    },
  });
  return [endpoint('/', awsJson), endpoint('/service/', rpcV2Cbor)];
}

async function authorize(
  request: HttpRequest,
  path: string,
  { writes, keys, api }: CloudMapEndpointOptions,
): Promise<void> {
  if (writes === 'off')
    throw new AwsError('AccessDeniedException', 'writes are disabled; set cloudMap.writes in the configuration');
  const refusal = refusalOfWrite(request, writes);
  if (refusal !== undefined) throw new AwsError('AccessDeniedException', refusal);
  if (writes === 'signed') await checkSignature(request, path, keys, api.clock);
}

function internalFailure(error: unknown, operation: string, log: Logger): AwsError {
  log.error('Cloud Map operation failed', { operation, error: (error as Error).message });
  return new AwsError('InternalFailure', 'internal error; the log says more');
}
