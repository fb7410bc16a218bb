// The fields that are read of each kind of object: their numbers in Kubernetes' generated.proto files
// (https://github.com/kubernetes/api), and their names in JSON. To read another field, add it here; the end-to-end test
// test/e2e/kubernetes-protobuf.test.ts compares both encodings.
import { schema } from '../../../reading/protobuf.ts';

const METADATA = schema({
  1: ['name', 'text'],
  3: ['namespace', 'word'],
  6: ['resourceVersion', 'text'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  11: ['labels', 'texts'],
  12: ['annotations', 'texts'],
});

export const NAMESPACE = schema({ 1: ['metadata', METADATA] });

const NODE_CONDITION = schema({
  1: ['type', 'word'],
  2: ['status', 'word'],
  4: ['lastTransitionTime', 'time'],
  5: ['reason', 'word'],
});

export const NODE = schema({
  1: ['metadata', METADATA],
  3: ['status', schema({ 4: ['conditions', NODE_CONDITION, 'repeated'] })],
});

const SERVICE_PORT = schema({ 1: ['name', 'word'], 2: ['protocol', 'word'], 3: ['port', 'integer'] });

const SERVICE_SPEC = schema({
  1: ['ports', SERVICE_PORT, 'repeated'],
  3: ['clusterIP', 'text'],
  4: ['type', 'word'],
  5: ['externalIPs', 'text', 'repeated'],
  10: ['externalName', 'text'],
  13: ['publishNotReadyAddresses', 'boolean'],
  18: ['clusterIPs', 'text', 'repeated'],
});

const LOAD_BALANCER_INGRESS = schema({ 1: ['ip', 'text'], 2: ['hostname', 'text'] });

const SERVICE_STATUS = schema({
  1: ['loadBalancer', schema({ 1: ['ingress', LOAD_BALANCER_INGRESS, 'repeated'] })],
});

export const SERVICE = schema({
  1: ['metadata', METADATA],
  2: ['spec', SERVICE_SPEC],
  3: ['status', SERVICE_STATUS],
});

const CONDITIONS = schema({ 1: ['ready', 'boolean'], 2: ['serving', 'boolean'], 3: ['terminating', 'boolean'] });

const ENDPOINT = schema({
  1: ['addresses', 'text', 'repeated'],
  2: ['conditions', CONDITIONS],
  3: ['hostname', 'text'],
  4: ['targetRef', schema({ 1: ['kind', 'word'], 2: ['namespace', 'word'], 3: ['name', 'text'] })],
  6: ['nodeName', 'word'],
});

export const ENDPOINT_SLICE = schema({
  1: ['metadata', METADATA],
  2: ['endpoints', ENDPOINT, 'repeated'],
  3: ['ports', SERVICE_PORT, 'repeated'],
  4: ['addressType', 'word'],
});

const CONTAINER_STATE = schema({
  1: ['waiting', schema({ 1: ['reason', 'word'] })],
  2: ['running', schema({})],
  3: ['terminated', schema({ 1: ['exitCode', 'integer'], 3: ['reason', 'word'] })],
});

const CONTAINER_STATUS = schema({
  1: ['name', 'word'],
  2: ['state', CONTAINER_STATE],
  4: ['ready', 'boolean'],
  9: ['started', 'boolean'],
});

const POD_CONDITION = schema({
  1: ['type', 'word'],
  2: ['status', 'word'],
  4: ['lastTransitionTime', 'time'],
  5: ['reason', 'word'],
  6: ['message', 'text'],
});

const POD_STATUS = schema({
  1: ['phase', 'word'],
  2: ['conditions', POD_CONDITION, 'repeated'],
  4: ['reason', 'word'],
  6: ['podIP', 'text'],
  8: ['containerStatuses', CONTAINER_STATUS, 'repeated'],
  10: ['initContainerStatuses', CONTAINER_STATUS, 'repeated'],
  12: ['podIPs', schema({ 1: ['ip', 'text'] }), 'repeated'],
});

const POD_SPEC = schema({ 10: ['nodeName', 'word'] });

export const POD = schema({ 1: ['metadata', METADATA], 2: ['spec', POD_SPEC], 3: ['status', POD_STATUS] });
