// One request to an external health source, and the meaning of its response.
import type { Status } from '../../registry/model.ts';
import type { Report } from './external-reports.ts';

/** Maximum size that is read of a response. */
const BODY_BYTES = 64 * 1024;

/** Polls once. undefined: no report (failure or silence), so the previous one keeps aging. */
export type AskSource = (url: string, signal: AbortSignal) => Promise<Report | undefined>;

/**
 * GETs the URL; redirects are not followed. 200 to 299 is HEALTHY and 503 UNHEALTHY, unless the body is JSON with a
 * `status` of HEALTHY, UNHEALTHY or UNKNOWN (and optionally a `reason`), which then counts. Anything else is no report.
 */
export const askSource: AskSource = async (url, signal) => {
  try {
    const response = await fetch(url, { signal, redirect: 'manual', headers: { accept: 'application/json' } });
    const body = await readLimited(response);
    if (!response.ok && response.status !== 503) return undefined;
    return fromJson(body) ?? { status: response.ok ? 'HEALTHY' : 'UNHEALTHY', reason: `HTTP ${response.status}` };
  } catch {
    return undefined; // unreachable or aborted: no report, counted by the caller
  }
};

async function readLimited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function fromJson(body: string): Report | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined; // not JSON: the status code counts
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { status, reason } = value as { status?: unknown; reason?: unknown };
  if (!isStatus(status)) return undefined;
  return { status, reason: typeof reason === 'string' ? reason : status };
}

const isStatus = (value: unknown): value is Status =>
  value === 'HEALTHY' || value === 'UNHEALTHY' || value === 'UNKNOWN';
