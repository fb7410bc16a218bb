// Verdicts of a service's instances: each by its facts, then the policies that look at all of them together.
import type { ServicePolicy, Verdict } from '../registry/model.ts';
import type { InstanceState, ServiceState } from '../registry/registry.ts';
import { effectiveStatus } from './effective-status.ts';

export interface Judge {
  /** Whether one instance's verdict may depend on the others'. */
  looksAtAll(service: ServiceState): boolean;
  one(state: InstanceState, nowMs: number): Verdict;
  all(service: ServiceState, nowMs: number, settle: (state: InstanceState, verdict: Verdict) => void): void;
}

/** Of instances whose service is not known yet; they are not published. */
const UNKNOWN_SERVICE: Pick<ServicePolicy, 'unknown' | 'publishNotReady'> = {
  unknown: 'answer',
  publishNotReady: false,
};

export function createJudge(): Judge {
  const one = (state: InstanceState) =>
    effectiveStatus(state.facts(), state.service.service?.policy ?? UNKNOWN_SERVICE);
  return {
    looksAtAll: () => false,
    one,
    all(service, _nowMs, settle) {
      for (const state of service.instances.values()) settle(state, one(state));
    },
  };
}
