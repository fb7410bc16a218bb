// Limits of the registry.

export interface RegistryLimits {
  readonly services: number;
  readonly instances: number;
  readonly instancesPerGroup: number;
  readonly subjects: number;
  readonly factsPerStatement: number;
  readonly addressesPerPod: number;
}

export const DEFAULT_REGISTRY_LIMITS: RegistryLimits = {
  services: 500_000,
  instances: 1_000_000,
  instancesPerGroup: 100_000,
  subjects: 2_000_000,
  factsPerStatement: 64,
  addressesPerPod: 16,
};

/** A limit of the registry was exceeded. Nothing has changed: the previous data is still served. */
export class RegistryLimitError extends Error {
  override readonly name = 'RegistryLimitError';
}
