// The operations of the AWS Cloud Map API (servicediscovery, 2017-03-14), by name. What the wire looks like is http/'s.
import type { Clock, Random } from '../clock.ts';
import type { Status } from '../registry/model.ts';
import { CloudMapError } from './errors.ts';
import type { ServiceRecord } from './model.ts';
import { discoverInstances, discoverInstancesRevision } from './operations/discover.ts';
import { getInstancesHealthStatus, updateInstanceCustomHealthStatus } from './operations/health.ts';
import { deregisterInstance, getInstance, listInstances, registerInstance } from './operations/instances.ts';
import {
  createHttpNamespace,
  createPrivateDnsNamespace,
  createPublicDnsNamespace,
  deleteNamespace,
  getNamespace,
  listNamespaces,
  updateHttpNamespace,
  updatePrivateDnsNamespace,
  updatePublicDnsNamespace,
} from './operations/namespaces.ts';
import { getOperation, listOperations } from './operations/operations.ts';
import {
  deleteServiceAttributes,
  getServiceAttributes,
  updateServiceAttributes,
} from './operations/service-attributes.ts';
import { createService, deleteService, getService, listServices, updateService } from './operations/services.ts';
import { listTagsForResource, tagResource, untagResource } from './operations/tags.ts';
import type { State } from './state.ts';

/** What every operation may use. */
export interface Api {
  readonly state: State;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly account: string;
  readonly limits: CloudMapLimits;
  readonly health: HealthView;
  /** Why nothing can be said yet: the store has not been read. */
  readonly notReady?: () => string | undefined;
}

export interface CloudMapLimits {
  readonly namespaces: number;
  readonly servicesPerNamespace: number;
  readonly instancesPerService: number;
}

/** What the rest of healthdns knows: the same verdicts that DNS answers by, and instances that pods brought in. */
export interface HealthView {
  /** By instance id; an instance that is not in it is UNKNOWN. */
  statusesOf(service: ServiceRecord): ReadonlyMap<string, Status>;
  /** Instances of the service beside the registered ones: tasks seen in a cluster. */
  discovered(service: ServiceRecord): Iterable<DiscoveredInstance>;
  /** Grows whenever the service's instances or their health change. */
  revision(service: ServiceRecord): number;
}

export interface DiscoveredInstance {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

type Operation = (api: Api, input: unknown) => object | Promise<object>;

interface OperationEntry {
  readonly run: Operation;
  readonly writes: boolean;
}

const reads = (run: Operation): OperationEntry => ({ run, writes: false });
const writes = (run: Operation): OperationEntry => ({ run, writes: true });

const OPERATIONS: Readonly<Record<string, OperationEntry>> = {
  CreateHttpNamespace: writes(createHttpNamespace),
  CreatePrivateDnsNamespace: writes(createPrivateDnsNamespace),
  CreatePublicDnsNamespace: writes(createPublicDnsNamespace),
  CreateService: writes(createService),
  DeleteNamespace: writes(deleteNamespace),
  DeleteService: writes(deleteService),
  DeleteServiceAttributes: writes(deleteServiceAttributes),
  DeregisterInstance: writes(deregisterInstance),
  DiscoverInstances: reads(discoverInstances),
  DiscoverInstancesRevision: reads(discoverInstancesRevision),
  GetInstance: reads(getInstance),
  GetInstancesHealthStatus: reads(getInstancesHealthStatus),
  GetNamespace: reads(getNamespace),
  GetOperation: reads(getOperation),
  GetService: reads(getService),
  GetServiceAttributes: reads(getServiceAttributes),
  ListInstances: reads(listInstances),
  ListNamespaces: reads(listNamespaces),
  ListOperations: reads(listOperations),
  ListServices: reads(listServices),
  ListTagsForResource: reads(listTagsForResource),
  RegisterInstance: writes(registerInstance),
  TagResource: writes(tagResource),
  UntagResource: writes(untagResource),
  UpdateHttpNamespace: writes(updateHttpNamespace),
  UpdateInstanceCustomHealthStatus: writes(updateInstanceCustomHealthStatus),
  UpdatePrivateDnsNamespace: writes(updatePrivateDnsNamespace),
  UpdatePublicDnsNamespace: writes(updatePublicDnsNamespace),
  UpdateService: writes(updateService),
  UpdateServiceAttributes: writes(updateServiceAttributes),
};

/** Whether the operation changes anything. @throws CloudMapError UnknownOperationException */
export function operationWrites(name: string): boolean {
  return operationNamed(name).writes;
}

/**
 * Runs one operation. Times in the output are Date objects; undefined members are to be left out by the encoder.
 * @throws CloudMapError with the API's own error name
 */
export async function callOperation(api: Api, name: string, input: unknown): Promise<object> {
  const operation = operationNamed(name);
  const missing = api.notReady?.();
  if (missing !== undefined) throw new CloudMapError('ServiceUnavailable', missing);
  return operation.run(api, input);
}

function operationNamed(name: string): OperationEntry {
  if (Object.hasOwn(OPERATIONS, name)) return OPERATIONS[name]!;
  throw new CloudMapError('UnknownOperationException', `${name.slice(0, 100)} is not an operation of Cloud Map`);
}
