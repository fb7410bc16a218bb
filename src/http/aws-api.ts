// The AWS APIs on the HTTP address: Cloud Map and ECS.
import type { Clock } from '../clock.ts';
import type { Api } from '../cloudmap/api.ts';
import { AwsError } from '../cloudmap/aws-error.ts';
import { callOperation, operationWrites } from '../cloudmap/operations/call-operation.ts';
import { isLoopback } from '../config/sections/listen.ts';
import { callEcsOperation, ecsOperationWrites } from '../ecs/operations/call-ecs.ts';
import type { EcsApi } from '../ecs/operations/ecs-api.ts';
import type { Logger } from '../log.ts';
import type { Counter, Metrics } from '../metrics.ts';
import { type AwsProtocol, awsJson, rpcV2Cbor } from './aws-protocol.ts';
import { type AccessKey, checkSignature } from './aws-signature.ts';
import type { Endpoint, HttpRequest, HttpResponse } from './endpoint.ts';
import { refusalOfWrite } from './writes.ts';

/** One API: its names on the wire and its operations. */
export interface AwsService {
  /** Before the operation's name in X-Amz-Target. */
  readonly target: string;
  readonly signingName: string;
  /** Of the service's shapes in CBOR errors. */
  readonly namespace: string;
  readonly metric: 'healthdns_cloudmap_requests_total' | 'healthdns_ecs_requests_total';
  /** Its operations run commands: they need a loopback address even if they are signed. */
  readonly isLocal?: boolean;
  /** @throws AwsError UnknownOperationException */
  writes(operation: string): boolean;
  call(operation: string, input: unknown): Promise<object>;
  /** Resolves when DNS reflects all writes so far; awaited before a write is acknowledged. */
  readonly published?: () => Promise<void>;
}

export const cloudMapService = (api: Api, published?: () => Promise<void>): AwsService => ({
  target: 'Route53AutoNaming_v20170314',
  signingName: 'servicediscovery',
  namespace: 'com.amazonaws.servicediscovery',
  metric: 'healthdns_cloudmap_requests_total',
  writes: operationWrites,
  call: (operation, input) => callOperation(api, operation, input),
  ...(published && { published }),
});

export const ecsService = (api: EcsApi, isLocal: boolean): AwsService => ({
  target: 'AmazonEC2ContainerServiceV20141113',
  signingName: 'ecs',
  namespace: 'com.amazonaws.ecs',
  metric: 'healthdns_ecs_requests_total',
  isLocal,
  writes: ecsOperationWrites,
  call: (operation, input) => callEcsOperation(api, operation, input),
});

export interface AwsEndpointOptions {
  /** The first one answers for requests that name no service. */
  readonly services: readonly AwsService[];
  /** off: read-only. loopback: anyone who reaches the loopback address may write. signed: with one of the keys. */
  readonly writes: 'off' | 'loopback' | 'signed';
  readonly keys: readonly AccessKey[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** POST / (AWS JSON 1.1) and POST /service/ (RPC v2 CBOR). */
export function awsEndpoints(options: AwsEndpointOptions): Endpoint[] {
  const [first] = options.services;
  const counters = new Map(options.services.map((service) => [service, options.metrics.counter(service.metric)]));
  const endpoint = (path: string, protocol: AwsProtocol): Endpoint => ({
    path,
    methods: ['POST'],
    tooLarge(limitBytes) {
      const error = new AwsError('RequestEntityTooLargeException', `the body may have at most ${limitBytes} bytes`);
      counters.get(first!)?.inc(1, 'unknown', error.code);
      return protocol.failure(error, first!.namespace);
    },
    async handle(request) {
      const call = new Call(request, `${path}${request.rest}`, protocol, options, first!);
      const { result, response } = await call.respond();
      (counters.get(call.service) as Counter).inc(1, call.operation, result);
      return response;
    },
  });
  return [endpoint('/', awsJson), endpoint('/service/', rpcV2Cbor)];
}

class Call {
  service: AwsService;
  /** Unknown names share one label value, so that clients cannot grow the metrics. */
  operation = 'unknown';
  readonly #request: HttpRequest;
  readonly #path: string;
  readonly #protocol: AwsProtocol;
  readonly #options: AwsEndpointOptions;

  constructor(
    request: HttpRequest,
    path: string,
    protocol: AwsProtocol,
    options: AwsEndpointOptions,
    first: AwsService,
  ) {
    this.#request = request;
    this.#path = path;
    this.#protocol = protocol;
    this.#options = options;
    this.service = first;
  }

  async respond(): Promise<{ readonly result: string; readonly response: HttpResponse }> {
    const { log } = this.#options;
    try {
      return { result: 'ok', response: this.#protocol.success(await this.#output()) };
    } catch (error) {
      const known = error instanceof AwsError ? error : internalFailure(error, this.operation, log);
      return { result: known.code, response: this.#protocol.failure(known, this.service.namespace) };
    }
  }

  async #output(): Promise<object> {
    const { target, name } = this.#protocol.operation(this.#request);
    const service = this.#options.services.find((one) => one.target === target);
    if (service === undefined)
      throw new AwsError('UnknownOperationException', `${target.slice(0, 100)} is not a service of this server`);
    this.service = service;
    const writes = service.writes(name);
    this.operation = name;
    if (writes) await authorize(this.#request, this.#path, service, this.#options);
    const output = await service.call(name, this.#protocol.input(this.#request));
    // The write is durable even if publishing fails, which is logged there.
    if (writes) await service.published?.().catch(() => {});
    return output;
  }
}

async function authorize(
  request: HttpRequest,
  path: string,
  { signingName, isLocal = false }: AwsService,
  { writes, keys, clock }: AwsEndpointOptions,
): Promise<void> {
  if (writes === 'off')
    throw new AwsError('AccessDeniedException', 'writes are disabled; set cloudMap.writes in the configuration');
  if (isLocal && !isLoopback(request.boundTo))
    throw new AwsError(
      'AccessDeniedException',
      `ECS runs commands and needs a loopback address, not ${request.boundTo}`,
    );
  const refusal = refusalOfWrite(request, writes);
  if (refusal !== undefined) throw new AwsError('AccessDeniedException', refusal);
  if (writes === 'signed') await checkSignature(request, path, keys, signingName, clock);
}

function internalFailure(error: unknown, operation: string, log: Logger): AwsError {
  log.error('an operation of an AWS API failed', { operation, error: (error as Error).message });
  return new AwsError('InternalFailure', 'internal error; see the log');
}
