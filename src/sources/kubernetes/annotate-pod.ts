// Sets one annotation of a pod: the only thing that healthdns ever writes to a pod. Requires the verb `patch` for pods.
import type { Clock } from '../../clock.ts';
import type { ClusterAccess } from '../../config/config.ts';
import { ApiError, connectApiServer } from './api/api-server.ts';

const TIMEOUT_MS = 8_000;

/** The annotation could not be written; the message tells the operator why and what to do. */
export class AnnotationRefused extends Error {
  override readonly name = 'AnnotationRefused';
}

/** undefined removes the annotation. Throws AnnotationRefused. */
export async function annotatePod(
  cluster: ClusterAccess,
  pod: { readonly namespace: string; readonly name: string },
  annotation: { readonly name: string; readonly value: string | undefined },
  clock: Clock,
): Promise<void> {
  const server = connectApiServer(cluster, clock, TIMEOUT_MS);
  const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}`;
  const patch = { metadata: { annotations: { [annotation.name]: annotation.value ?? null } } };
  try {
    await server.exchange('PATCH', path, patch, AbortSignal.timeout(TIMEOUT_MS));
  } catch (error) {
    throw new AnnotationRefused(`pod ${pod.namespace}/${pod.name}: ${problemOf(error as Error)}`);
  } finally {
    server.close();
  }
}

function problemOf(error: Error): string {
  if (!(error instanceof ApiError))
    return error.name === 'TimeoutError' ? 'the API server did not reply' : error.message;
  if (error.status === 404) return 'it does not exist in the cluster';
  if (error.status !== 403) return error.message;
  return `healthdns may not patch pods; grant it (deploy/rbac-drain.yaml, or drain.writeAccess of the chart), or use kubectl annotate`;
}
