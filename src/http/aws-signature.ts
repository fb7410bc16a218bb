// Checks the Signature Version 4 of a request: signing it again with AWS's library must give the same signature.
import { createHash, timingSafeEqual } from 'node:crypto';
import { Hash } from '@smithy/hash-node';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Clock } from '../clock.ts';
import { AwsError } from '../cloudmap/aws-error.ts';
import type { HttpRequest } from './endpoint.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** AWS accepts clocks that differ by at most five minutes. */
const MAX_SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]{1,128})\/(\d{8})\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})\/aws4_request,\s*SignedHeaders=([a-z0-9;-]{1,2048}),\s*Signature=([0-9a-f]{64})$/;

/**
 * Checks the Authorization header of a request to `path`.
 * @throws AwsError MissingAuthenticationTokenException, UnrecognizedClientException or InvalidSignatureException
 */
export async function checkSignature(
  request: HttpRequest,
  path: string,
  keys: readonly AccessKey[],
  expectedService: string,
  clock: Clock,
): Promise<void> {
  const { authorization } = request.headers;
  if (typeof authorization !== 'string')
    throw new AwsError('MissingAuthenticationTokenException', 'writes require a request signed with a configured key');
  const [, accessKeyId = '', day, region, service, signedHeaders, signature] = AUTHORIZATION.exec(authorization) ?? [];
  if (signature === undefined || signedHeaders === undefined)
    throw invalid('the Authorization header is not Signature Version 4');
  const key = keys.find((candidate) => candidate.accessKeyId === accessKeyId);
  if (key === undefined) throw new AwsError('UnrecognizedClientException', 'the access key is not configured');
  if (service !== expectedService) throw invalid(`the signature is for the service ${service}, not ${expectedService}`);
  const signedAt = String(request.headers['x-amz-date'] ?? '');
  const signingDate = dateOf(signedAt);
  if (signingDate === undefined || Math.abs(signingDate.getTime() - clock.now()) > MAX_SKEW_MS)
    throw invalid('the signature is older than five minutes, or the clocks differ (X-Amz-Date)');
  if (signedAt.slice(0, 8) !== day) throw invalid('X-Amz-Date does not match the date in Credential');
  // The library trusts this header for the hash of the body, so it is checked here.
  const stated = request.headers['x-amz-content-sha256'];
  if (stated !== undefined && stated !== createHash('sha256').update(request.body).digest('hex'))
    throw invalid('X-Amz-Content-Sha256 is not the hash of the body');
  const names = signedHeaders.split(';');
  // Without them, a signature would be good for another operation, host or time.
  const required = ['host', 'x-amz-date', 'x-amz-target', 'content-type'].filter((name) => name in request.headers);
  const uncovered = required.find((name) => !names.includes(name));
  if (uncovered !== undefined) throw invalid(`${uncovered} must be signed`);
  const scope = { region: String(region), service: expectedService };
  const expected = await sign(request, path, key, scope, names, signingDate);
  if (!sameText(expected, signature)) throw invalid('the signature does not match: check the secret key');
}

const invalid = (message: string) => new AwsError('InvalidSignatureException', message);

/** Signs the request again with the headers that the client signed; proxies may have added others. */
async function sign(
  request: HttpRequest,
  path: string,
  key: AccessKey,
  scope: { readonly region: string; readonly service: string },
  names: readonly string[],
  signingDate: Date,
): Promise<string> {
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
  const signer = new SignatureV4({
    credentials: key,
    ...scope,
    sha256: Hash.bind(undefined, 'sha256'),
    applyChecksum: false,
  });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: 'http:',
      hostname: 'unused',
      path,
      query: Object.fromEntries(request.query),
      headers,
      body: request.body,
    },
    { signingDate, signableHeaders: new Set(names), unsignableHeaders: new Set() },
  );
  return /Signature=([0-9a-f]{64})/.exec(String(signed.headers.authorization))?.[1] ?? '';
}

/** "20261122T101112Z" */
function dateOf(text: string): Date | undefined {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const date = new Date(iso);
  return iso === text || Number.isNaN(date.getTime()) ? undefined : date;
}

const sameText = (one: string, other: string) =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
