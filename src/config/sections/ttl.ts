import { integer } from '../reading/shape.ts';

/** RFC 2181 section 8. */
export const MAX_TTL_SECONDS = 2_147_483_647;
/** CoreDNS's default for Kubernetes names; health decides answers, so they must not be kept for long. */
export const DEFAULT_TTL_SECONDS = 5;

export function ttlSeconds(description: string) {
  return integer(0, MAX_TTL_SECONDS, description);
}
