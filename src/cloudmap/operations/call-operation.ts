// The operations of the AWS Cloud Map API (servicediscovery, 2017-03-14) by name. http/ reads and writes the wire.
import type { Api } from '../api.ts';
import { AwsError } from '../aws-error.ts';
import { discoverInstances, discoverInstancesRevision, getInstancesHealthStatus } from './discovery.ts';
import {
  deregisterInstance,
  getInstance,
  listInstances,
  registerInstance,
  updateInstanceCustomHealthStatus,
} from './instances.ts';
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
} from './namespaces.ts';
import { getOperation, listOperations } from './operations.ts';
import {
  createService,
  deleteService,
  deleteServiceAttributes,
  getService,
  getServiceAttributes,
  listServices,
  updateService,
  updateServiceAttributes,
} from './services.ts';
import { listTagsForResource, tagResource, untagResource } from './tags.ts';

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

/** Whether the operation changes anything. @throws AwsError UnknownOperationException */
export function operationWrites(name: string): boolean {
  return operationNamed(name).writes;
}

/**
 * Runs one operation. Times in the output are Date objects; encoders omit undefined members.
 * @throws AwsError with the API's own error name
 */
export async function callOperation(api: Api, name: string, input: unknown): Promise<object> {
  const operation = operationNamed(name);
  const missing = api.notReady?.();
  if (missing !== undefined) throw new AwsError('ServiceUnavailable', missing);
  try {
    return await operation.run(api, input);
  } catch (error) {
    const isMissing = error instanceof AwsError && NOT_FOUND.has(error.code);
    if (!isMissing || api.catchUp === undefined || EVENTUAL.has(name)) throw error;
    await api.catchUp().catch(({ message }: Error) => {
      throw new AwsError(
        'ServiceUnavailable',
        `${error.message} is not known here, and the store cannot be read: ${message}`,
      );
    });
    return operation.run(api, input);
  }
}

/** Objects that another replica may have just created. */
const NOT_FOUND: ReadonlySet<string> = new Set([
  ...['NamespaceNotFound', 'ServiceNotFound', 'InstanceNotFound', 'OperationNotFound', 'ResourceNotFoundException'],
]);

/** Called often, also for missing services, and eventually consistent in AWS as well. */
const EVENTUAL: ReadonlySet<string> = new Set(['DiscoverInstances', 'DiscoverInstancesRevision']);

function operationNamed(name: string): OperationEntry {
  if (Object.hasOwn(OPERATIONS, name)) return OPERATIONS[name]!;
  throw new AwsError('UnknownOperationException', `${name.slice(0, 100)} is not an operation of Cloud Map`);
}
