// The wire protocols of AWS clients: AWS JSON 1.1 (operation in the X-Amz-Target header) and Smithy RPC v2 CBOR (operation
// in the path), which newer SDKs prefer. Sources: smithy.io, "AWS JSON 1.1 protocol", "Smithy RPC v2 CBOR".
import { decode, encode, Token, Type } from 'cborg';
import { AwsError } from '../cloudmap/aws-error.ts';
import type { HttpRequest, HttpResponse } from './endpoint.ts';

export interface AwsProtocol {
  /** The service's target and the operation's name. @throws AwsError UnknownOperationException */
  operation(request: HttpRequest): { readonly target: string; readonly name: string };
  /** The operation's input. @throws AwsError SerializationException */
  input(request: HttpRequest): unknown;
  success(output: object): HttpResponse;
  /** `namespace` is that of the service's shapes: com.amazonaws.ecs. */
  failure(error: AwsError, namespace: string): HttpResponse;
}

/** SDKs log the request id; nothing looks it up here. */
const NO_REQUEST_ID = { 'x-amzn-requestid': '00000000-0000-0000-0000-000000000000' };

export const awsJson: AwsProtocol = {
  operation({ headers }) {
    const [, target, name] = /^(\w+)\.(\w+)$/.exec(String(headers['x-amz-target'] ?? '')) ?? [];
    if (target === undefined || name === undefined)
      throw new AwsError('UnknownOperationException', 'the X-Amz-Target header must be SERVICE.OPERATION');
    return { target, name };
  },
  input: ({ body }) => deserialize(() => (body.length === 0 ? {} : JSON.parse(body.toString('utf8'), withoutNull))),
  success: (output) => response(200, JSON.stringify(secondsForDates(output))),
  failure: (error) =>
    response(error.statusCode, JSON.stringify(errorMembers(error, error.code)), { 'x-amzn-errortype': error.code }),
};

/** In AWS JSON, a null member is equivalent to an absent one. */
const withoutNull = (_key: string, value: unknown): unknown => value ?? undefined;

const response = (status: number, body: string, headers = {}): HttpResponse => ({
  status,
  type: 'application/x-amz-json-1.1',
  body,
  headers: { ...NO_REQUEST_ID, ...headers },
});

export const rpcV2Cbor: AwsProtocol = {
  operation({ rest, headers }) {
    const [target = '', word, name, ...more] = rest.split('/');
    if (word !== 'operation' || name === undefined || more.length > 0)
      throw new AwsError('UnknownOperationException', 'the path must be /service/SERVICE/operation/OPERATION');
    if (headers['smithy-protocol'] !== 'rpc-v2-cbor')
      throw new AwsError('SerializationException', 'the Smithy-Protocol header must be rpc-v2-cbor');
    return { target, name };
  },
  input: ({ body }) => deserialize(() => (body.length === 0 ? {} : decode(body))),
  success: (output) => cborResponse(200, withoutUndefined(output)),
  failure: (error, namespace) => cborResponse(error.statusCode, errorMembers(error, `${namespace}#${error.code}`)),
};

const TIMESTAMP_TAG = 1;
const typeEncoders = {
  Date: (date: Date) => [new Token(Type.tag, TIMESTAMP_TAG), new Token(Type.float, date.getTime() / 1000)],
};

const cborResponse = (status: number, value: unknown): HttpResponse => ({
  status,
  type: 'application/cbor',
  body: encode(value, { typeEncoders }),
  headers: { ...NO_REQUEST_ID, 'smithy-protocol': 'rpc-v2-cbor' },
});

/** SDKs read Message in this API's own errors and message in those that all services share. */
const errorMembers = ({ message, details }: AwsError, type: string) => ({
  __type: type,
  message,
  Message: message,
  ...details,
});

function deserialize(parse: () => unknown): unknown {
  try {
    const value = parse();
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    throw new Error('it must be an object');
  } catch (error) {
    throw new AwsError('SerializationException', `the body cannot be read: ${(error as Error).message}`);
  }
}

/** AWS JSON 1.1 encodes times in seconds since the epoch. */
function secondsForDates(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(secondsForDates);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, secondsForDates(member)]));
}

/** CBOR has an undefined value; the protocol requires such members to be omitted. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutUndefined(member)]));
}
